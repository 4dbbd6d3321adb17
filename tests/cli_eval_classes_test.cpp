// diffusion eval with a data set that has labels and a training split: copies, classes, the classification
// score.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include <diffusion/picture_files.h>
#include "base/rng.h"
#include "cli_program.h"
#include "eval/classifier_files.h"
#include "formats/npy.h"
#include "support/fixtures.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

constexpr int kTraining = 180, kTest = 90;

// Picture i of a split, of class i % 3: dark, gray or bright, with noise.
std::vector<std::uint8_t> picture(int i, std::uint32_t split) {
  std::vector<std::uint8_t> pixels(64);
  for (std::uint32_t p = 0; p < 64; ++p)
    pixels[p] =
        std::uint8_t(90 * (i % 3) + int(uniform_below({9, Stream::init, split, std::uint32_t(i)}, 60, p)));
  return pixels;
}

void write_split(const fs::path& folder, const std::string& name, int count, std::uint32_t split) {
  fixtures::Bytes pixels, labels;
  for (int i = 0; i < count; ++i) {
    labels.push_back(std::uint8_t(i % 3));
    const auto one = picture(i, split);
    pixels.insert(pixels.end(), one.begin(), one.end());
  }
  const auto n = std::uint32_t(count);
  fixtures::write_file(folder / (name + "-images-idx3-ubyte"), fixtures::idx({n, 8, 8}, pixels));
  fixtures::write_file(folder / (name + "-labels-idx1-ubyte"), fixtures::idx({n}, labels));
}

class EvalClasses : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    cache_ = std::make_unique<fixtures::ScopedEnvironment>("XDG_CACHE_HOME", file("cache"));
    fs::create_directory(file("set"));
    write_split(file("set"), "train", kTraining, 1);
    write_split(file("set"), "t10k", kTest, 2);
    // Data sets of IDX files have classes "0", "1" and "2".
    const ClassifierConfig config{{8, 8}, 1, {"0", "1", "2"}, {8, 16}, 1, 4};
    write_feature_network(file("features"), make_classifier(config, 2), nullptr);
    const ClassifierConfig named{{8, 8}, 1, {"Alpha", "beta", "gamma ray"}, {8, 16}, 1, 4};
    write_feature_network(file("named"), make_classifier(named, 1), nullptr);
    cli::write_model(file("model"), cli::tiny_model());
    // Samples of their own, in folders; number 4 of class 1 is a training picture.
    for (const int shift : {0, 1}) {
      const fs::path samples = file(shift == 0 ? "samples" : "shifted");
      for (int i = 0; i < 60; ++i) {
        const fs::path of_class = samples / std::to_string((i + shift) % 3);
        fs::create_directories(of_class);
        const auto pixels = i == 13 ? picture(76, 1) : picture(i, 3);
        write_png(of_class / (std::to_string(100 + i) + ".png"), {8, 8, 1, pixels});
      }
    }
  }
  static void TearDownTestSuite() {
    cache_.reset();
    folder_.reset();
  }
  static std::string file(std::string_view name) { return (*folder_ / name).string(); }

  static Arguments eval(const Arguments& more, const std::string& features = "features") {
    Arguments all{"eval", "--features", file(features), "--threads", "1", "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static inline std::unique_ptr<scratch::Folder> folder_;
  static inline std::unique_ptr<fixtures::ScopedEnvironment> cache_;  // of folders of images
};

double number(const Json& json, const std::vector<std::string>& path) {
  const Json* at = &json;
  for (const std::string& name : path) at = &member(*at, name, name);
  return to_double(*at, path.back());
}

TEST_F(EvalClasses, APlantedCopyIsFoundAndShown) {
  const std::string sheet = file("neighbors.png");
  const Arguments arguments =
      eval({"--samples", file("samples"), "--data", file("set"), "--neighbors", sheet});
  Arguments as_json = arguments;
  as_json.push_back("--json");
  const Json json = json_of(run(as_json));
  for (const char* space : {"pixels", "features"}) {
    EXPECT_EQ(number(json, {"memorization", space, "closest"}), 0) << space;
    EXPECT_GT(number(json, {"memorization", space, "test_quantile"}), 0) << space;
    EXPECT_GE(number(json, {"memorization", space, "nearer"}), 1) << space;
    EXPECT_LT(number(json, {"memorization", space, "share_nearer"}), 0.2) << space;
  }
  EXPECT_EQ(number(json, {"memorization", "test_images"}), kTest);
  EXPECT_EQ(number(json, {"memorization", "training_images"}), kTraining);
  const Image picture = read_image(sheet);
  EXPECT_EQ(picture.channels, 1);
  EXPECT_GT(picture.width, 11 * 56);
  EXPECT_GT(picture.height, 16 * 56);
  const Outcome text = run(arguments);
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* word :
       {"nearest training image", "in pixels", "in features", "class_agreement", "agreement"})
    EXPECT_NE(text.out.find(word), std::string::npos) << word;
}

TEST_F(EvalClasses, TheTrainingSplitIsTheTrainingSplitWhicheverIsCompared) {
  const Arguments arguments = eval({"--samples", file("samples"), "--data", file("set"), "--json"});
  Arguments other = arguments;
  other.insert(other.end(), {"--split", "train"});
  const Json a = json_of(run(arguments)), b = json_of(run(other));
  EXPECT_EQ(member(a, "memorization", "json"), member(b, "memorization", "json"));
  EXPECT_EQ(member(a, "feature_network_accuracy", "json"), member(b, "feature_network_accuracy", "json"));
  EXPECT_NE(member(a, "scores", "json"), member(b, "scores", "json"));
}

TEST_F(EvalClasses, EachClass) {
  const Json json = json_of(run(eval({"--samples", file("samples"), "--data", file("set"), "--json"})));
  for (const char* name : {"0", "1", "2"}) {
    EXPECT_EQ(number(json, {"classes", name, "images"}), 20);
    EXPECT_EQ(number(json, {"classes", name, "real_images"}), 30);
    EXPECT_GT(number(json, {"classes", name, "precision"}), 0.5);
    EXPECT_GT(number(json, {"classes", name, "frechet_distance_of_real"}), 0);
    EXPECT_GT(number(json, {"classes", name, "frechet_distance"}), 0);
  }
  const Json shifted = json_of(run(eval({"--samples", file("shifted"), "--data", file("set"), "--json"})));
  EXPECT_GT(number(shifted, {"classes", "1", "frechet_distance"}),
            5 * number(json, {"classes", "1", "frechet_distance"}));
  EXPECT_EQ(number(shifted, {"scores", "frechet_distance", "value"}) > 0, true);
  const Json few =
      json_of(run(eval({"--samples", file("samples"), "--data", file("set"), "--json", "-n", "12"})));
  const Json& one = member(member(few, "classes", "json"), "1", "classes");
  EXPECT_TRUE(member(one, "frechet_distance", "class").is_null());
  EXPECT_NE(to_string(member(one, "missing", "class"), "missing").find("more than 16"), std::string::npos);
}

TEST_F(EvalClasses, ClassificationScore) {
  const auto score = [&](const char* samples) {
    return json_of(
        run(eval({"--samples", file(samples), "--data", file("set"), "--json", "--classification-score"})));
  };
  const Json good = score("samples"), shifted = score("shifted");
  EXPECT_EQ(number(good, {"classification_score_steps"}), 17);  // 12 x 180 / 128, rounded
  EXPECT_GT(number(good, {"classification_score", "value"}),
            number(shifted, {"classification_score", "value"}));
  EXPECT_LE(number(good, {"classification_score", "low"}), number(good, {"classification_score", "value"}));
}

TEST_F(EvalClasses, RealImagesAgreeAsOftenAsTheNetworkIsRight) {
  for (int i = 0; i < kTest; ++i) {
    const fs::path of_class = fs::path(file("real")) / std::to_string(i % 3);
    fs::create_directories(of_class);
    write_png(of_class / (std::to_string(i) + ".png"), {8, 8, 1, picture(i, 2)});
  }
  const Json json = json_of(run(eval({"--samples", file("real"), "--data", file("set"), "--json"})));
  EXPECT_GT(number(json, {"class_agreement"}), 0);
  EXPECT_LT(number(json, {"class_agreement"}), 1);
  EXPECT_EQ(number(json, {"class_agreement"}), number(json, {"feature_network_accuracy"}));
}

TEST_F(EvalClasses, ClassificationScoreNeedsClasses) {
  const std::string set = file("set"), samples = file("samples"), array = file("some.npy");
  std::vector<std::uint8_t> pixels(64 * 20);
  write_npy(array, std::array<std::int64_t, 3>{20, 8, 8}, pixels);
  const auto refused = [&](const Arguments& more, const std::vector<std::string>& words,
                           const std::string& features = "features") {
    Arguments arguments = eval(more, features);
    arguments.push_back("--classification-score");
    expect_error(2, arguments, words);
  };
  refused({"--samples", array, "--data", set}, {"some.npy", "sub-folder"});
  refused({"--samples", samples, "--data", array}, {"some.npy", "labels"});
  refused({file("model"), "--data", set}, {"model", "classes", "names"});
  refused({file("model"), "--data", set, "--label", "1"}, {"--label", "all classes"}, "named");
  fs::create_directories(file("one") + "/1");
  for (int i = 0; i < 8; ++i)
    write_png(file("one") + "/1/" + std::to_string(i) + ".png", {8, 8, 1, picture(i, 4)});
  refused({"--samples", file("one"), "--data", set}, {"class 0", "3 classes"});
  fs::create_directories(file("odd"));
  fs::copy(samples, file("odd"), fs::copy_options::recursive);
  fs::rename(file("odd") + "/2", file("odd") + "/two");
  refused({"--samples", file("odd"), "--data", set}, {"odd", "sub-folder"});
}

TEST_F(EvalClasses, SavedSamplesGiveTheSameScores) {
  const std::string saved = file("saved.npy");
  const Json made = json_of(run(eval({file("model"), "--data", file("set"), "-n", "30", "--steps", "1",
                                      "--sampler", "ddim", "--json", "--save-samples", saved})));
  EXPECT_EQ(read_npy_uint8(saved).dims, (std::vector<std::int64_t>{30, 8, 8, 1}));
  const Json again = json_of(run(eval({"--samples", saved, "--data", file("set"), "--json"})));
  for (const char* part : {"scores", "real_against_real", "memorization"})
    EXPECT_EQ(member(made, part, "json"), member(again, part, "json")) << part;
  EXPECT_EQ(made.find("at_2048"), nullptr);
}

TEST_F(EvalClasses, ManySamplesAreScoredAtTwoCounts) {
  const std::string array = file("many.npy");
  constexpr int kMany = 2049;
  fixtures::Bytes pixels;
  for (int i = 0; i < kMany; ++i)
    for (const std::uint8_t p : picture(i, 6)) pixels.push_back(p);
  write_npy(array, std::array<std::int64_t, 3>{kMany, 8, 8}, pixels);
  const Arguments arguments = eval({"--samples", array, "--data", file("set"), "--json"});
  Arguments fewer = arguments;
  fewer.insert(fewer.end(), {"-n", "2048"});
  const Json json = json_of(run(arguments)), of_fewer = json_of(run(fewer));
  EXPECT_EQ(number(json, {"scores", "images"}), kMany);
  EXPECT_EQ(number(json, {"at_2048", "scores", "images"}), 2048);
  EXPECT_EQ(number(json, {"at_2048", "real_against_real", "images"}), kTraining);  // there are no more
  EXPECT_EQ(member(member(json, "at_2048", "json"), "scores", "at_2048"), member(of_fewer, "scores", "json"));
  EXPECT_EQ(of_fewer.find("at_2048"), nullptr);
}

TEST_F(EvalClasses, NeighborsWithoutATrainingSplit) {
  const std::string array = file("real.npy"), sheet = file("without.png");
  fixtures::Bytes pixels;
  for (int i = 0; i < 20; ++i)
    for (const std::uint8_t p : picture(i, 5)) pixels.push_back(p);
  write_npy(array, std::array<std::int64_t, 3>{20, 8, 8}, pixels);
  const Json json =
      json_of(run(eval({"--samples", file("samples"), "--data", array, "--json", "--neighbors", sheet})));
  EXPECT_EQ(json.find("memorization"), nullptr);
  EXPECT_TRUE(fs::exists(sheet));
  EXPECT_EQ(json.find("feature_network_accuracy"), nullptr);
}

TEST_F(EvalClasses, Refusals) {
  const std::string set = file("set"), samples = file("samples");
  expect_error(2, eval({"--samples", samples, "--data", set, "--neighbors", file("n.gif")}),
               {"--neighbors", ".png"});
  expect_error(2, eval({"--samples", samples, "--data", set, "--save-samples", file("x.npy")}),
               {"--save-samples", "MODEL"});
  expect_error(2, eval({file("model"), "--data", set, "--save-samples", file("x.png")}),
               {"--save-samples", ".npy"});
  expect_error(4, eval({file("model"), "--data", set, "--save-samples", file("no") + "/x.npy"}), {"no"});
  EXPECT_FALSE(fs::exists(file("x.npy")));
}

}  // namespace
}  // namespace diffusion
