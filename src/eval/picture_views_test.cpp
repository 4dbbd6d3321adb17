#include "eval/picture_views.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include <diffusion/error.h>
#include "support/fixtures.h"

namespace diffusion {
namespace {

constexpr std::array<int, 3> kShape{3, 16, 12};
constexpr PictureViews kNone{0, 0, 0, 0, 0, 0, 0, 0, 0};

// A slope in each channel, so that every change of a place is seen.
std::vector<float> slopes() {
  std::vector<float> image;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 16; ++y)
      for (int x = 0; x < 12; ++x) image.push_back(float(y - 8) / 10 + float(c * (x - 6)) / 20);
  return image;
}

std::vector<float> view(const PictureViews& views, std::uint32_t sample, std::uint32_t step = 0) {
  std::vector<float> image = slopes();
  make_view(views, {1, Stream::transform, sample, step}, kShape, image);
  return image;
}

TEST(PictureViews, NoneIsThePicture) {
  const std::vector<float> image = view(kNone, 0), before = slopes();
  for (std::size_t i = 0; i < image.size(); ++i) EXPECT_NEAR(image[i], before[i], 1e-6) << i;
}

TEST(PictureViews, AreAFunctionOfSeedStepAndNumber) {
  EXPECT_EQ(view({}, 3, 4), view({}, 3, 4));
  EXPECT_NE(view({}, 3, 4), view({}, 3, 5));
  EXPECT_NE(view({}, 3, 4), view({}, 4, 4));
}

TEST(PictureViews, EachChangesThePictureAlone) {
  double PictureViews::*const kinds[] = {&PictureViews::shift, &PictureViews::zoom,  &PictureViews::rotation,
                                         &PictureViews::warp,  &PictureViews::blur,  &PictureViews::contrast,
                                         &PictureViews::color, &PictureViews::noise, &PictureViews::cover};
  for (const auto kind : kinds) {
    PictureViews views = kNone;
    views.*kind = PictureViews{}.*kind;
    int changed = 0;
    for (std::uint32_t k = 0; k < 20; ++k) {
      const std::vector<float> image = view(views, k), before = slopes();
      double most = 0;
      for (std::size_t i = 0; i < image.size(); ++i)
        most = std::max(most, double(std::abs(image[i] - before[i])));
      changed += most > 1e-3 ? 1 : 0;
      EXPECT_LT(most, 2.5);
    }
    EXPECT_GE(changed, 4) << (kind == kinds[0]) << " of " << std::size(kinds);
  }
}

// Skin tones must stay apart: of a picture of one color the mean changes less than by the nearest two tones.
TEST(PictureViews, ColorsStayNear) {
  PictureViews views;
  views.cover = views.noise = views.contrast = 0;
  for (std::uint32_t k = 0; k < 50; ++k) {
    std::vector<float> image(3 * 16 * 16, 0.3f);
    make_view(views, {1, Stream::transform, k, 0}, {3, 16, 16}, image);
    for (const float value : image) EXPECT_NEAR(value, 0.3f, 0.0601);
  }
}

TEST(PictureViews, OfADataSetKeepLabels) {
  const Dataset data{"gray", 4, 4, 1, std::vector<std::uint8_t>(32, 100), {1, 0}, {"a", "b"}};
  const Dataset views = views_of(data, {}, 1);
  EXPECT_EQ(views.labels, data.labels);
  EXPECT_EQ(views.class_names, data.class_names);
  EXPECT_EQ(views.count(), 2);
  EXPECT_FALSE(std::ranges::equal(views.image(0), views.image(1)));
  EXPECT_TRUE(std::ranges::equal(views.image(0), views_of(data, {}, 1).image(0)));
  EXPECT_FALSE(std::ranges::equal(views.image(0), views_of(data, {}, 2).image(0)));
}

TEST(PictureViews, OtherSizesAreRefused) {
  std::vector<float> image(5);
  EXPECT_EQ(fixtures::error_of([&] { make_view({}, {}, {1, 2, 2}, image); }).kind(), ErrorKind::internal);
}

}  // namespace
}  // namespace diffusion
