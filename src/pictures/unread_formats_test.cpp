#include "pictures/unread_formats.h"

#include <gtest/gtest.h>

#include <string>

namespace diffusion {
namespace {

using namespace std::string_view_literals;

std::string_view format_name(std::string_view file) {
  const auto format = find_unread_format(std::as_bytes(std::span(file)));
  return format ? format->name : "";
}

TEST(UnreadFormats, AreFoundByTheirFirstBytes) {
  EXPECT_EQ(format_name("\0\0\0\x1c"
                        "ftypavif\0\0\0\0avifmif1miaf"sv),
            "an AVIF");
  EXPECT_EQ(format_name("\0\0\0\x18"
                        "ftypavis\0\0\0\0msf1miaf"sv),
            "an AVIF");
  EXPECT_EQ(format_name("\0\0\0\x18"
                        "ftypheic\0\0\0\0mif1heic"sv),
            "a HEIC");
  EXPECT_EQ(format_name("\0\0\0\x10"
                        "ftypmsf1\0\0\0\0"sv),
            "a HEIC");
  EXPECT_EQ(format_name("\xff\x0a and so on"sv), "a JPEG XL");
  EXPECT_EQ(format_name("\0\0\0\x0cJXL \r\n\x87\n and so on"sv), "a JPEG XL");
  EXPECT_EQ(format_name("\0\0\0\x0cjP  \r\n\x87\n and so on"sv), "a JPEG 2000");
  EXPECT_EQ(format_name("\xff\x4f\xff\x51 and so on"sv), "a JPEG 2000");
  EXPECT_EQ(format_name("GIF87a"sv), "a GIF");
  EXPECT_EQ(format_name("GIF89a and so on"sv), "a GIF");
  EXPECT_EQ(format_name("BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"sv), "a BMP");
}

// mif1 is what both are made of.
TEST(UnreadFormats, TellAvifFromHeicByAllBrands) {
  EXPECT_EQ(format_name("\0\0\0\x18"
                        "ftypmif1\0\0\0\0miafavif"sv),
            "an AVIF");
  EXPECT_EQ(format_name("\0\0\0\x18"
                        "ftypmif1\0\0\0\0miafheic"sv),
            "a HEIC");
  // behind the box, and where the version is
  EXPECT_EQ(format_name("\0\0\0\x14"
                        "ftypmif1\0\0\0\0miafavif"sv),
            "a HEIC");
  EXPECT_EQ(format_name("\0\0\0\x14"
                        "ftypmif1avifmiaf"sv),
            "a HEIC");
}

TEST(UnreadFormats, AreNotSeenInOtherFiles) {
  for (const std::string_view file : {""sv, "GIF88a"sv, "GIF"sv, "\xff"sv, "BM"sv, "BMW, a maker of cars"sv,
                                      "\0\0\0\x18"
                                      "ftyp"sv,
                                      "\0\0\0\x18"
                                      "ftypisom\0\0\0\0mp41avc1"sv,
                                      "\0\0\0\0"
                                      "ftypheic\0\0\0\0"sv,
                                      "\0\0\0\x18"
                                      "ftyphei"sv,
                                      "\x89PNG\r\n\x1a\n"sv, "RIFF\0\0\0\0WEBP"sv})
    EXPECT_EQ(format_name(file), "") << std::string(file);
}

}  // namespace
}  // namespace diffusion
