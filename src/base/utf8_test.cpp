#include "base/utf8.h"

#include <gtest/gtest.h>

namespace diffusion {
namespace {

std::string encode(char32_t c) {
  std::string out;
  if (c < 0x80) {
    out = {char(c)};
  } else if (c < 0x800) {
    out = {char(0xc0 | (c >> 6)), char(0x80 | (c & 0x3f))};
  } else if (c < 0x10000) {
    out = {char(0xe0 | (c >> 12)), char(0x80 | ((c >> 6) & 0x3f)), char(0x80 | (c & 0x3f))};
  } else {
    out = {char(0xf0 | (c >> 18)), char(0x80 | ((c >> 12) & 0x3f)), char(0x80 | ((c >> 6) & 0x3f)),
           char(0x80 | (c & 0x3f))};
  }
  return out;
}

TEST(Utf8, AcceptsEveryCodePointButSurrogates) {
  for (char32_t c = 0; c < 0x120000; ++c) {
    const bool valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
    const std::string text = encode(c) + "x";
    std::string_view rest = text;
    const auto taken = take_code_point(rest);
    ASSERT_EQ(taken.has_value(), valid) << std::uint32_t(c);
    if (valid) {
      ASSERT_EQ(*taken, c);
      ASSERT_EQ(rest, "x");
    }
  }
}

TEST(Utf8, RejectsOverlongStrayAndCutOffBytes) {
  for (const char* text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x88\x80\x80\x80",
        "\xfe", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3x", "a\xff", "\xe2\x82x"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("plain \u00e9\u20ac\U0001f600"));
}

}  // namespace
}  // namespace diffusion
