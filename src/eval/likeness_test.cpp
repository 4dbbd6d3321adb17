#include "eval/likeness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/fixtures.h"

namespace diffusion {
namespace {

using fixtures::error_of;

Image waves(int width, int height, int channels, int shift) {
  Image image{width, height, channels, {}};
  for (int k = 0; k < width * height * channels; ++k)
    image.pixels.push_back(std::uint8_t((k * 7 + k / width * 13 + shift * (k % 5)) % 256));
  return image;
}

TEST(Likeness, OfEqualPicturesIsTheLargest) {
  const Image image = waves(13, 12, 1, 0);
  EXPECT_EQ(peak_signal_to_noise(image, image), 120);
  EXPECT_DOUBLE_EQ(structural_similarity(image, image), 1);
}

TEST(Likeness, OfADifferenceThatIsKnown) {
  const Image black{11, 11, 1, std::vector<std::uint8_t>(121, 0)},
      gray{11, 11, 1, std::vector<std::uint8_t>(121, 51)};
  EXPECT_NEAR(peak_signal_to_noise(black, gray), -20 * std::log10(0.2), 1e-12);
  EXPECT_NEAR(structural_similarity(black, gray), 6.5025 / (51 * 51 + 6.5025), 1e-12) << "no variance";
}

// Of SciPy: correlate2d of products with the window, valid places.
TEST(Likeness, IsThatOfAnotherProgram) {
  EXPECT_NEAR(structural_similarity(waves(13, 12, 1, 0), waves(13, 12, 1, 9)), 0.700493015922, 1e-9);
  EXPECT_NEAR(structural_similarity(waves(12, 14, 3, 0), waves(12, 14, 3, 4)), 0.824153710095, 1e-9);
}

TEST(Likeness, Refusals) {
  EXPECT_EQ(error_of([] { peak_signal_to_noise(waves(4, 4, 1, 0), waves(4, 4, 3, 0)); }).kind(),
            ErrorKind::usage);
  EXPECT_EQ(error_of([] { structural_similarity(waves(10, 11, 1, 0), waves(10, 11, 1, 0)); }).kind(),
            ErrorKind::usage);
}

}  // namespace
}  // namespace diffusion
