#include "data/byte_fields.h"

#include <gtest/gtest.h>

namespace diffusion {
namespace {

TEST(ByteFields, RoundTrip) {
  FieldWriter out;
  out.number(0x0123456789abcdef);
  out.number(0xfffe, 2);
  out.text(std::string("a\0\xff", 3));
  out.text("");
  EXPECT_EQ(out.bytes()[0], 0xef);
  FieldReader in(out.bytes());
  EXPECT_EQ(in.number(), 0x0123456789abcdefu);
  EXPECT_EQ(in.number(2), 0xfffeu);
  EXPECT_EQ(in.text(), std::string("a\0\xff", 3));
  EXPECT_FALSE(in.complete());
  EXPECT_EQ(in.text(), "");
  EXPECT_TRUE(in.complete());
}

TEST(ByteFields, WhatIsCutOffReadsAsNothing) {
  FieldWriter out;
  out.number(2);
  out.text("abc");
  out.text("de");
  for (std::size_t size = 0; size < out.bytes().size(); ++size) {
    FieldReader in(std::span(out.bytes()).first(size));
    for (std::size_t i = in.count(4); i > 0; --i) in.text();
    EXPECT_FALSE(in.complete()) << size;
  }
}

TEST(ByteFields, CountsAndLengthsThatCannotBeAreRefused) {
  FieldWriter out;
  out.number(~std::uint64_t(0));
  out.number(0);
  FieldReader in(out.bytes());
  EXPECT_EQ(in.count(1), 0u);
  EXPECT_FALSE(in.complete());

  FieldWriter long_text;
  long_text.number(0xffffffff, 4);
  long_text.number(1);
  FieldReader text(long_text.bytes());
  EXPECT_EQ(text.text(), "");
  EXPECT_FALSE(text.complete());
}

}  // namespace
}  // namespace diffusion
