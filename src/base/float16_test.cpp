#include "base/float16.h"

#include <gtest/gtest.h>

#include <cmath>

namespace diffusion {
namespace {

TEST(Float16, EveryValueSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = from_f16(std::uint16_t(bits));
    const bool is_nan = (bits & 0x7c00) == 0x7c00 && (bits & 0x3ff) != 0;
    ASSERT_EQ(std::isnan(value), is_nan) << bits;
    if (!is_nan) {
      ASSERT_EQ(to_f16(value), bits);
    }
  }
  EXPECT_TRUE(std::isnan(from_f16(to_f16(std::nanf("")))));
}

TEST(Float16, KnownValues) {
  EXPECT_EQ(from_f16(0x3c00), 1.0f);
  EXPECT_EQ(from_f16(0xc000), -2.0f);
  EXPECT_EQ(from_f16(0x7bff), 65504.0f);
  EXPECT_EQ(from_f16(0x0001), 0x1p-24f);
  EXPECT_EQ(from_f16(0x0400), 0x1p-14f);
  EXPECT_EQ(from_f16(0x3555), 0.333251953125f);
  EXPECT_EQ(from_f16(0xfc00), -INFINITY);
  EXPECT_TRUE(std::signbit(from_f16(0x8000)));
}

// Between every two neighbors: below the middle down, above it up, the middle itself to the even one.
TEST(Float16, RoundsToNearestEven) {
  for (std::uint16_t bits = 0; bits < 0x7bff; ++bits) {
    const float low = from_f16(bits);
    const float high = from_f16(std::uint16_t(bits + 1));
    const float middle = (low + high) / 2;  // exact in f32
    ASSERT_EQ(to_f16(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(to_f16(std::nextafter(middle, 1e9f)), bits + 1);
    ASSERT_EQ(to_f16(middle), bits % 2 == 0 ? bits : bits + 1);
  }
}

TEST(Float16, OverflowsToInfinityHalfAnUlpAboveTheLargest) {
  EXPECT_EQ(to_f16(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(to_f16(-1e30f), 0xfc00);
  EXPECT_EQ(to_f16(1e-30f), 0);
}

}  // namespace
}  // namespace diffusion
