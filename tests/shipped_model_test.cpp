// The models that come with the program.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include <diffusion/device.h>
#include "cli_program.h"
#include "eval/classifier_files.h"
#include "eval/image_sets.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::run;

const fs::path kModels = fs::path(DIFFUSION_SOURCE_DIR) / "models";

class ShippedModel : public testing::TestWithParam<std::string> {};

TEST_P(ShippedModel, IsWhatWasTrainedAndSmall) {
  const cli::Outcome verified = run({"verify", GetParam()});
  EXPECT_EQ(verified.code, 0) << verified.err;
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kModels / GetParam()))
    if (entry.is_regular_file()) bytes += entry.file_size();
  EXPECT_LE(bytes, 8'000'000u);
}

// 94% of the real test images are recognized by this network, and about 9 in 10 garments of the models.
TEST_P(ShippedModel, MakesGarmentsOfTheClassesAskedFor) {
  scratch::Folder folder;
  const std::string out = (folder / "garments.npy").string();
  const cli::Outcome sampled = run({"sample", GetParam(), "-n", "100", "-o", out, "--quiet"});
  ASSERT_EQ(sampled.code, 0) << sampled.err;
  Dataset garments = read_image_array(out);
  FeatureNetwork network = read_feature_network(kModels / "fashion-mnist-features");
  garments.class_names = network.classifier.config.class_names;
  for (int k = 0; k < garments.count(); ++k) garments.labels.push_back(std::uint16_t(k % 10));
  const auto device = make_cpu_device(Precision::f32);
  EXPECT_GE(accuracy(extract_features(network.classifier, garments, *device).predicted, garments), 0.8);
}

INSTANTIATE_TEST_SUITE_P(All, ShippedModel, testing::Values("fashion-mnist", "fashion-mnist-quick"));

}  // namespace
}  // namespace diffusion
