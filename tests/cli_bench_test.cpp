// diffusion bench, through the real binary.

#include <gtest/gtest.h>

#include "cli_program.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using cli::expect_error, cli::json_of, cli::run;

TEST(CliBench, TellsWhereTheTimeOfAModelGoes) {
  const scratch::Folder folder;
  cli::write_model(folder.path() / "model", cli::tiny_model());
  const std::string model = (folder.path() / "model").string();
  const Json json = json_of(run({"bench", model, "--batch", "2", "--steps", "2", "--profile", "--json"}));
  EXPECT_EQ(to_string(*json.find("mode"), "mode"), "training");
  EXPECT_GT(to_double(*json.find("seconds_per_step"), "s"), 0);
  EXPECT_GT(to_double(*json.find("flops"), "flops"), 0);
  EXPECT_GT(to_double(*json.find("convolution_limit_seconds"), "limit"), 0);
  EXPECT_GT(to_array(*json.find("layers"), "layers").size(), to_array(*json.find("kinds"), "kinds").size());

  const cli::Outcome text =
      run({"bench", model, "--batch", "2", "--steps", "1", "--inference", "--precision", "f32"});
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* part : {"evaluations of 2 images", "GFLOP/s", "conv2d forward", "convolutions"})
    EXPECT_NE(text.out.find(part), std::string::npos) << part << "\n" << text.out;
  EXPECT_EQ(text.out.find("backward"), std::string::npos);
}

TEST(CliBench, TellsMemoryWithAndWithoutGradientCheckpointing) {
  const auto bytes = [](const cli::Arguments& more, const char* field) {
    cli::Arguments all{"bench", "tiny", "--batch", "4", "--steps", "1", "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return to_double(*json_of(run(all)).find(field), field);
  };
  const double without = bytes({}, "arena_bytes"), with = bytes({}, "arena_bytes_otherwise");
  EXPECT_LT(with, without);
  EXPECT_EQ(bytes({"--gradient-checkpointing"}, "arena_bytes"), with);
  expect_error(2, {"bench", "tiny", "--gradient-checkpointing", "--inference"}, {"--inference"});
}

TEST(CliBench, TakesPresetsAndConfigurations) {
  const Json json = json_of(run({"bench", "tiny", "--batch", "2", "--steps", "1", "--json"}));
  EXPECT_EQ(json.find("layers"), nullptr);
  const scratch::Folder folder;
  cli::write_model(folder.path() / "model", cli::tiny_model());
  const std::string config = (folder.path() / "model/unet/config.json").string();
  EXPECT_EQ(run({"bench", config, "--batch", "1", "--steps", "1"}).code, 0);
}

// A run of each preset would take a minute; that their networks take their images is in presets_test.cpp.
TEST(CliBench, MeasuresAPresetWithItsOwnImages) {
  const auto flops = [](const char* preset) {
    const Json json =
        json_of(run({"bench", preset, "--batch", "1", "--steps", "1", "--inference", "--json"}));
    return to_double(*json.find("flops"), "flops");
  };
  // 64x64 pixels where fashion-mnist has 28x28, and a level more
  EXPECT_GT(flops("folder-64"), 5 * flops("fashion-mnist"));
}

TEST(CliBench, RefusesWhatItCannotMeasure) {
  expect_error(2, {"bench", "nothing-of-this-name"}, {"nothing-of-this-name", "fashion-mnist", "tutorial"});
  expect_error(2, {"bench", "tiny", "--batch", "0"}, {"--batch"});
  expect_error(2, {"bench", "tiny", "--precision", "f64"}, {"--precision", "bf16"});
  expect_error(4, {"bench", "absent.json"}, {"absent.json"});
}

}  // namespace
}  // namespace diffusion
