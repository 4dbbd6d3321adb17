#include <diffusion/evaluate.h>

#include <gtest/gtest.h>

#include <filesystem>

#include "base/rng.h"
#include "eval/evaluation.h"
#include "eval/feature_network.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

std::vector<Image> noisy_images(int count, std::uint64_t seed) {
  std::vector<Image> images;
  for (int i = 0; i < count; ++i) {
    Image image{.width = 28, .height = 28, .channels = 1, .pixels = {}};
    const RandomKey key{.seed = seed, .sample = std::uint32_t(i)};
    for (std::uint32_t k = 0; k < 28 * 28; ++k)
      image.pixels.push_back(std::uint8_t(uniform_below(key, 256, k)));
    images.push_back(image);
  }
  return images;
}

TEST(EvaluateImages, ComparesByTheFeaturesOfANetwork) {
  const std::string place = std::string(DIFFUSION_SOURCE_DIR) + "/models/fashion-mnist-features";
  const Dataset a = dataset_of(noisy_images(20, 1), "a"), b = dataset_of(noisy_images(30, 2), "b");
  const Evaluation found = evaluate_images(a, b, place);
  EvalNetwork net = read_eval_network(place, "");
  Extractor extractor(net, {});
  const Evaluation expected = evaluate(extractor.of(a, "a").features, extractor.of(b, "b").features);
  EXPECT_EQ(found.generated, 20);
  EXPECT_EQ(found.real, 30);
  EXPECT_EQ(found.frechet.value, expected.frechet.value);
  EXPECT_EQ(found.kid.interval.high, expected.kid.interval.high);
  EXPECT_EQ(found.prdc.coverage.value, expected.prdc.coverage.value);
}

TEST(EvaluateImages, NeedsANetworkForTheData) {
  const Dataset images = dataset_of(noisy_images(20, 1), "a");
  const std::string message =
      scratch::error_of(ErrorKind::usage, [&] { evaluate_images(images, images, "no such data"); });
  EXPECT_NE(message.find("no such data"), std::string::npos) << message;
}

}  // namespace
}  // namespace diffusion
