// diffusion eval with the weights of Inception-v3, of which all are zero here: it takes the right path, and
// all images are alike.

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "files/sha256.h"
#include "formats/npy.h"
#include "inception_tensors.h"
#include "support/fixtures.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::run, cli::json_of, cli::expect_error;

class EvalInception : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    cache_ = std::make_unique<fixtures::ScopedEnvironment>("XDG_CACHE_HOME", file("cache"));
    write_inception_tensors(zero_inception_tensors(), file("zero.safetensors"));
    fs::create_directory(file("set"));
    for (const char* split : {"train", "t10k"}) {
      constexpr std::uint32_t count = 6;
      fixtures::Bytes labels;
      for (std::uint32_t i = 0; i < count; ++i) labels.push_back(std::uint8_t(i % 2));
      fixtures::write_file(file("set") + "/" + split + "-images-idx3-ubyte",
                           fixtures::idx({count, 4, 4}, fixtures::Bytes(16 * count, std::uint8_t(split[1]))));
      fixtures::write_file(file("set") + "/" + split + "-labels-idx1-ubyte", fixtures::idx({count}, labels));
    }
    for (int i = 0; i < 6; ++i) {
      const fs::path of_class = fs::path(file("samples")) / std::to_string(i % 2);
      fs::create_directories(of_class);
      write_png(of_class / (std::to_string(i) + ".png"), {4, 4, 1, std::vector<std::uint8_t>(16, 200)});
    }
    write_npy(file("wide.npy"), std::vector<std::int64_t>{6, 4, 8, 1}, std::vector<std::uint8_t>(6 * 32));
  }
  static void TearDownTestSuite() {
    cache_.reset();
    folder_.reset();
  }
  static std::string file(std::string_view name) { return (*folder_ / name).string(); }
  static Arguments eval(const Arguments& more) {
    Arguments all{"eval", "--features", file("zero.safetensors"), "--threads", "1", "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static inline std::unique_ptr<scratch::Folder> folder_;
  static inline std::unique_ptr<fixtures::ScopedEnvironment> cache_;  // of folders of images
};

TEST_F(EvalInception, ScoresAndWhatIsLeftOut) {
  const Json json = json_of(run(eval({"--samples", file("samples"), "--data", file("set"), "--json"})));
  EXPECT_EQ(member(json, "feature_network", "json"), Json("inception-v3"));
  EXPECT_EQ(member(json, "features_sha256", "json"), Json(sha256_of_file(file("zero.safetensors"))));
  const Json& scores = member(json, "scores", "json");
  EXPECT_EQ(member(scores, "images", "json"), Json(6));
  EXPECT_EQ(member(member(scores, "frechet_distance", "json"), "value", "json"), Json(0.0));
  EXPECT_EQ(member(member(scores, "precision", "json"), "value", "json"), Json(1.0));
  EXPECT_EQ(member(member(json, "memorization", "json"), "training_images", "json"), Json(6));
  EXPECT_EQ(json.find("feature_network_accuracy"), nullptr);
  // The classes of the data are known, though not to the network.
  EXPECT_EQ(member(json, "class_agreement", "json"), Json(nullptr));
  EXPECT_NE(to_string(member(json, "class_agreement_missing", "json"), "json").find("inception-v3"),
            std::string::npos);
  const Json& of_class = member(member(json, "classes", "json"), "1", "json");
  EXPECT_EQ(member(of_class, "images", "json"), Json(3));
  EXPECT_EQ(member(of_class, "real_images", "json"), Json(3));
  EXPECT_EQ(member(of_class, "agreement", "json"), Json(nullptr));
}

TEST_F(EvalInception, Refusals) {
  const std::string samples = file("samples"), set = file("set");
  expect_error(2, eval({"--samples", samples, "--data", set, "--classification-score"}),
               {"--classification-score", "classifier", "train-features", "Inception-v3"});
  expect_error(2, eval({"--samples", file("wide.npy"), "--data", set}), {"4 x 8 x 1", "4 x 4 x 1"});
  expect_error(4, {"eval", "--samples", samples, "--data", set, "--features", file("none.safetensors")},
               {"none.safetensors"});
  fixtures::write_file(file("weights.pth"), {'P', 'K', 3, 4});
  expect_error(3, {"eval", "--samples", samples, "--data", set, "--features", file("weights.pth")},
               {"weights.pth", "PyTorch", ".safetensors", "docs/evaluation.md"});
}

}  // namespace
}  // namespace diffusion
