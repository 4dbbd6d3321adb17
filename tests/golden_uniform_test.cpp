#include "golden_uniform.h"

#include <gtest/gtest.h>

namespace diffusion {

double golden_uniform(std::uint32_t tensor, std::size_t i) {
  std::uint32_t x = std::uint32_t(i) * 0x9E3779B1u + tensor * 0x85EBCA77u + 1;
  x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
  x = (x ^ (x >> 13)) * 0xC2B2AE35u;
  x ^= x >> 16;
  return double(x >> 8) / (1 << 23) - 1;
}

namespace {

// Of golden_uniform.py.
TEST(GoldenUniform, IsThatOfPython) {
  EXPECT_EQ(golden_uniform(0, 0) * (1 << 23), -3060184);
  EXPECT_EQ(golden_uniform(7, 99999) * (1 << 23), 2050769);
  EXPECT_EQ(golden_uniform(6005, 65536) * (1 << 23), -7631884);
}

}  // namespace
}  // namespace diffusion
