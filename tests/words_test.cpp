// From captions to pictures: training a network of words, its pipeline directory, and prompts.

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <diffusion/conditions.h>
#include <diffusion/dataset.h>
#include <diffusion/device.h>
#include <diffusion/generate.h>
#include "diffusers/pipeline.h"
#include "diffusers/scheduler_config.h"
#include "diffusion/default_recipe.h"
#include "diffusion/model.h"
#include "files/fs.h"
#include "formats/safetensors.h"
#include "support/fixtures.h"
#include "support/scratch.h"
#include "support/small_words.h"
#include "train/presets.h"
#include "train/run.h"
#include "train/starting_model.h"
#include "words/tokenizer_files.h"
#include "words/train_tokenizer.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

constexpr int kSide = 8;

TrainConfig tiny_training(std::int64_t steps) {
  TrainConfig c = preset_config("tiny");
  c.preset = "words";
  c.data = "squares";
  c.network = fixtures::small_words(kSide, 16, 8);
  c.vocabulary = kSmallestVocabulary + 20;
  c.budget.steps = steps;
  c.preview_every = 0;
  c.seed = 5;
  return c;
}

Model trained(const fs::path& folder, const TrainConfig& config, int stop_after = 0) {
  TrainingRun run(config, fixtures::gray_squares(64, kSide), folder, [](const std::string&) {});
  std::atomic<bool> stop = false;
  run.train([&](const StepReport& report) { stop = report.step == stop_after; }, stop);
  return read_pipeline(folder / "latest");
}

Model trained(const fs::path& folder, std::int64_t steps, int stop_after = 0) {
  return trained(folder, tiny_training(steps), stop_after);
}

double mean_of(const Image& image) {
  return std::accumulate(image.pixels.begin(), image.pixels.end(), 0.0) / double(image.pixels.size());
}

TEST(Words, DecideWhatIsDrawn) {
  const scratch::Folder folder;
  const Model model = trained(folder.path(), 250);
  GenerateOptions options;
  options.prompts = {"a dark square", "a bright square"};
  options.count = 6;
  options.seed = 1;
  const std::vector<Image> images = generate(model, *make_cpu_device(Precision::f32), options);
  for (std::size_t k = 0; k < images.size(); ++k) {
    if (k % 2 == 0)
      EXPECT_LT(mean_of(images[k]), 90) << "dark picture " << k;
    else
      EXPECT_GT(mean_of(images[k]), 150) << "bright picture " << k;
  }
}

TEST(Words, AResumedRunIsTheSameBytes) {
  const scratch::Folder folder;
  const Model whole = trained(folder / "whole", 6);
  trained(folder / "parts", 6, 2);
  const Model parts = trained(folder / "parts", 6);
  EXPECT_TRUE(std::ranges::equal(whole.params.values(), parts.params.values()));
  EXPECT_EQ(*whole.tokenizer, *parts.tokenizer);
}

// In a run from its beginning, and in one that goes on with it after two steps without.
TEST(Words, GradientCheckpointingGivesTheSameBytes) {
  const scratch::Folder folder;
  TrainConfig less_memory = tiny_training(4);
  less_memory.gradient_checkpointing = true;
  const Model expected = trained(folder / "without", 4);
  trained(folder / "parts", 4, 2);
  for (const char* run : {"with", "parts"}) {
    const Model model = trained(folder / run, less_memory);
    EXPECT_TRUE(std::ranges::equal(model.params.values(), expected.params.values())) << run;
  }
}

TEST(Words, ARunMayStartFromAModelAndKeepsItsVocabulary) {
  const scratch::Folder folder;
  const Model before = trained(folder / "before", 2);
  const auto goes_on = [&](Dataset data, const std::string& name) {
    TrainingRun run(
        starting_from(before, tiny_training(2)), std::move(data), folder / name, [](const std::string&) {},
        {}, read_pipeline(folder / "before/latest"));
    run.train([](const StepReport&) {}, std::atomic<bool>(false));
    return read_pipeline(folder / name / "latest");
  };
  Dataset other = fixtures::gray_squares(64, kSide);
  other.captions = Captions(std::vector<std::vector<std::string>>(64, {"quite other words"}));
  const Model after = goes_on(std::move(other), "after");
  EXPECT_EQ(*after.tokenizer, *before.tokenizer);
  EXPECT_FALSE(std::ranges::equal(after.params.values(), before.params.values()));

  Dataset silent = fixtures::gray_squares(64, kSide);
  silent.captions = {};
  const Error error = fixtures::error_of([&] { goes_on(std::move(silent), "silent"); });
  EXPECT_NE(std::string(error.what()).find("captions"), std::string::npos) << error.what();
}

class WordsModel : public ::testing::Test {
 protected:
  static Model model() { return fixtures::small_words_model(kSide); }
  static std::vector<Image> draw(std::vector<std::string> prompts, const std::string& negative = "",
                                 double guidance = 3) {
    GenerateOptions options;
    options.prompts = std::move(prompts);
    options.negative_prompt = negative;
    options.count = 2;
    options.recipe = default_recipe(model());
    options.recipe->steps = 3;
    options.recipe->guidance.scale = guidance;
    return generate(model(), *make_cpu_device(Precision::f32), options);
  }
  const scratch::Folder folder_;
};

TEST_F(WordsModel, SurvivesItsDirectory) {
  const Model before = model();
  fs::create_directories(folder_ / "m");
  write_pipeline(folder_ / "m", before, before.params.values());
  for (const char* file : {"model_index.json", "unet/config.json", "text_encoder/config.json",
                           "text_encoder/model.safetensors", "tokenizer/vocab.json", "tokenizer/merges.txt"})
    EXPECT_TRUE(fs::exists(folder_ / "m" / file)) << file;
  const std::string encoder = read_text_file(folder_ / "m/text_encoder/config.json", 1 << 20);
  const Json json = parse_json(encoder, "config.json");
  EXPECT_EQ(to_int(member(json, "eos_token_id", "config.json"), "eos"),
            before.tokenizer->vocabulary().end.id);
  const Model after = read_pipeline(folder_ / "m");
  EXPECT_TRUE(std::ranges::equal(before.params.values(), after.params.values()));
  EXPECT_EQ(*before.tokenizer, *after.tokenizer);
  EXPECT_EQ(dump_json(to_json(before.network)), dump_json(to_json(after.network)));
}

// As transformers 5 writes them, with a buffer that older versions kept.
TEST_F(WordsModel, NamesWithoutThePrefixAreRead) {
  const Model before = model();
  fs::create_directories(folder_ / "m");
  write_pipeline(folder_ / "m", before, before.params.values());
  const fs::path file = folder_ / "m/text_encoder/model.safetensors";
  std::vector<TensorToWrite> tensors;
  const std::vector<float> positions(8);
  for (const ParamLayout::Entry& entry : before.params.layout().entries())
    if (entry.name.starts_with("text_model."))
      tensors.push_back({entry.name.substr(11), entry.dims, before.params.values(entry)});
  tensors.push_back({"embeddings.position_ids", {1, 8}, positions});
  write_safetensors(file, tensors);
  EXPECT_TRUE(std::ranges::equal(before.params.values(), read_pipeline(folder_ / "m").params.values()));
}

TEST_F(WordsModel, WhatDoesNotFitIsNamed) {
  const Model before = model();
  const auto refused = [&](const std::string& name, const auto& damage,
                           const std::vector<std::string>& words) {
    fs::create_directories(folder_ / name);
    write_pipeline(folder_ / name, before, before.params.values());
    damage(folder_ / name);
    const Error error = fixtures::error_of([&] { read_pipeline(folder_ / name); });
    EXPECT_EQ(error.kind(), ErrorKind::bad_input) << name;
    for (const std::string& word : words)
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << name << ": " << error.what();
  };
  refused("none", [](const fs::path& m) { fs::remove_all(m / "text_encoder"); },
          {"UNet2DConditionModel", "text_encoder/config.json"});
  refused("larger",
          [](const fs::path& m) {
            const Tokenizer large =
                train_tokenizer(std::vector<std::string>{"quite different words, and more of these words"},
                                {.vocabulary = kSmallestVocabulary + 60, .least_count = 1});
            fs::remove_all(m / "tokenizer");
            write_tokenizer(large, m / "tokenizer");
          },
          {"tokenizer", "tokens", "vocab_size"});
}

TEST_F(WordsModel, PromptsFollowEachOtherAndTheNegativeOneIsAvoided) {
  const std::vector<Image> both = draw({"a dark square", "a bright square"});
  EXPECT_EQ(draw({"a dark square"})[0].pixels, both[0].pixels);
  EXPECT_NE(draw({"a dark square"})[1].pixels, both[1].pixels);
  EXPECT_NE(draw({"a dark square"}, "a bright square")[0].pixels, both[0].pixels);
  EXPECT_EQ(draw({"a dark square"}, "a bright square", 1)[0].pixels,
            draw({"a dark square"}, "", 1)[0].pixels);
  EXPECT_EQ(draw({})[0].pixels, draw({""})[0].pixels);
}

TEST_F(WordsModel, IsGuidedUnlessToldOtherwise) {
  Model words = model();
  EXPECT_EQ(scheduler_recipe(words).guidance.scale, 3);
  EXPECT_EQ(default_recipe(words).guidance.scale, 3);
  words.sampling = consistency_sampling(scheduler_recipe(words), words.preconditioner);
  EXPECT_EQ(default_recipe(words).guidance.scale, 3);
}

TEST_F(WordsModel, LongPromptsAreCut) {
  EXPECT_EQ(tokens_beyond(model(), "a dark square"), 0);
  EXPECT_GT(tokens_beyond(model(), "a dark square and a bright square and a dark square"), 0);
  const std::vector<std::string> prompts{"a", "a dark square and a bright square and a dark square"};
  EXPECT_EQ(prompt_tokens(model(), prompts).at("tokens").size(), 16u);
}

}  // namespace
}  // namespace diffusion
