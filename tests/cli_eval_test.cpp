// diffusion train-features and diffusion eval through the real binary.

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

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

class Eval : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    cli::write_model(file("model"), cli::tiny_model());
    const ClassifierConfig config{{8, 8}, 1, {"Alpha", "beta", "gamma ray"}, {8, 16}, 1, 4};
    write_feature_network(file("features"), make_classifier(config, 1), nullptr);
    write_noise("a.npy", 8, 1);
    write_noise("b.npy", 8, 2);
    write_noise("wide.npy", 16, 3);
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::string file(std::string_view name) { return (*folder_ / name).string(); }

  // 30 gray pictures.
  static void write_noise(const char* name, int width, std::uint32_t number) {
    std::vector<std::uint8_t> pixels(std::size_t(30 * 8 * width));
    for (std::size_t i = 0; i < pixels.size(); ++i)
      pixels[i] = std::uint8_t(uniform_below({9, Stream::init, number, 0}, 256, std::uint32_t(i)));
    write_npy(file(name), std::array<std::int64_t, 4>{30, 8, width, 1}, pixels);
  }
  static Arguments eval(const Arguments& more) {
    Arguments all{"eval", "--features", file("features"), "--threads", "1", "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static inline std::unique_ptr<scratch::Folder> folder_;
};

double value(const Json& evaluation, const char* score, const char* which = "value") {
  return to_double(member(member(evaluation, score, "json"), which, "json"), which);
}

TEST_F(Eval, ASetIsLikeItself) {
  const Json json = json_of(run(eval({"--samples", file("a.npy"), "--data", file("a.npy"), "--json"})));
  const Json& scores = member(json, "scores", "json");
  EXPECT_EQ(member(scores, "images", "json"), Json(30));
  EXPECT_NEAR(value(scores, "frechet_distance"), 0, 1e-9);
  EXPECT_EQ(value(scores, "precision"), 1);
  EXPECT_EQ(value(scores, "recall"), 1);
  EXPECT_EQ(value(scores, "coverage"), 1);
  EXPECT_EQ(json.find("class_agreement"), nullptr);
  EXPECT_EQ(member(member(json, "real_against_real", "json"), "images", "json"), Json(15));  // halves
}

TEST_F(Eval, OfAModelWithClasses) {
  const Arguments arguments = eval(
      {file("model"), "--data", file("b.npy"), "-n", "24", "--steps", "3", "--sampler", "ddim", "--json"});
  const Outcome outcome = run(arguments);
  const Json json = json_of(outcome);
  EXPECT_EQ(member(json, "sampler", "json"), Json("ddim"));
  EXPECT_EQ(member(json, "steps", "json"), Json(3));
  const Json& scores = member(json, "scores", "json");
  EXPECT_EQ(member(scores, "images", "json"), Json(24));
  EXPECT_EQ(member(scores, "real_images", "json"), Json(30));
  EXPECT_GT(value(scores, "frechet_distance"), 0);
  EXPECT_LE(value(scores, "frechet_distance", "low"), value(scores, "frechet_distance"));
  EXPECT_GE(value(scores, "frechet_distance", "high"), value(scores, "frechet_distance"));
  double mean = 0;
  for (const auto& [name, scores_of_class] : to_object(member(json, "classes", "json"), "classes"))
    mean += to_double(member(scores_of_class, "agreement", "class"), "share") / 3;
  EXPECT_NEAR(to_double(member(json, "class_agreement", "json"), "agreement"), mean, 1e-12);
  EXPECT_EQ(run(arguments).out, outcome.out);
}

TEST_F(Eval, AsText) {
  const Outcome outcome = run(eval({"--samples", file("a.npy"), "--data", file("b.npy"), "-n", "20"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* word :
       {"20 images of", "30 real ones", "frechet_distance", "kid", "precision", "coverage"})
    EXPECT_NE(outcome.out.find(word), std::string::npos) << word;
}

TEST_F(Eval, Refusals) {
  const std::string a = file("a.npy");
  expect_error(2, eval({"--data", a}), {"MODEL", "--samples"});
  expect_error(2, eval({file("model"), "--samples", a, "--data", a}), {"MODEL", "--samples"});
  expect_error(2, eval({"--samples", a, "--data", a, "--steps", "5"}), {"--steps", "MODEL"});
  expect_error(2, eval({"--samples", a, "--data", file("wide.npy")}),
               {"wide.npy", "8 x 16 x 1", "8 x 8 x 1"});
  expect_error(2, eval({"--samples", a, "--data", a, "-n", "31"}), {"31", "30"});
  expect_error(2, eval({"--samples", a, "--data", "shapes", "--split", "validation"}),
               {"validation", "test, train"});
  expect_error(4, {"eval", "--samples", a, "--data", a, "--features", file("nothing")}, {"features.json"});
  expect_error(4, eval({"--samples", file("none.npy"), "--data", a}), {"none.npy"});
}

// IDX files of `count` pictures, 8 x 8, all of one value that the class decides.
void write_set(const fs::path& folder, const std::string& split, std::uint32_t count) {
  fixtures::Bytes pixels, labels;
  for (std::uint32_t i = 0; i < count; ++i) {
    labels.push_back(std::uint8_t(i % 3));
    pixels.insert(pixels.end(), 64, std::uint8_t(100 * (i % 3)));
  }
  fixtures::write_file(folder / (split + "-images-idx3-ubyte"), fixtures::idx({count, 8, 8}, pixels));
  fixtures::write_file(folder / (split + "-labels-idx1-ubyte"), fixtures::idx({count}, labels));
}

TEST_F(Eval, TrainsAFeatureNetworkThatItCanUse) {
  const std::string out = file("trained"), data = file("set");
  fs::create_directory(data);
  write_set(data, "train", 90);
  write_set(data, "t10k", 30);
  const Json json = json_of(run(
      {"train-features", "--data", data, "-o", out, "--epochs", "4", "--threads", "1", "--quiet", "--json"}));
  const FeatureNetwork net = read_feature_network(out);
  EXPECT_EQ(member(json, "sha256", "json"), Json(net.sha256));
  EXPECT_EQ(member(net.origin, "test_images", "json"), Json(30));
  EXPECT_EQ(member(net.origin, "test_accuracy", "json"), member(json, "test_accuracy", "json"));
  const Json scores = json_of(run({"eval", "--features", out, "--samples", file("a.npy"), "--data", data,
                                   "--json", "--quiet", "--threads", "1"}));
  EXPECT_EQ(member(member(scores, "real_against_real", "json"), "images", "json"),
            Json(30));  // the other split
  expect_error(2, {"train-features", "--data", data, "-o", file("x"), "--epochs", "0"}, {"--epochs"});
  expect_error(2, {"train-features", "--data", file("images"), "-o", file("x")}, {"images"});
}

}  // namespace
}  // namespace diffusion
