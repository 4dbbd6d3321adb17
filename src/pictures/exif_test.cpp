#include "pictures/exif.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <diffusion/picture_files.h>
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;
using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(std::byte(value));
  return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Bytes kPrefix = bytes_of({'E', 'x', 'i', 'f', 0, 0});

// Two entries, of which the second is the orientation.
Bytes little_endian(int orientation) {
  return bytes_of({'I', 'I', 42, 0, 8, 0, 0, 0, 2, 0})                        //
         + bytes_of({0x0f, 1, 2, 0, 1, 0, 0, 0, 'a', 0, 0, 0})                //
         + bytes_of({0x12, 1, 3, 0, 1, 0, 0, 0, orientation & 255, 0, 0, 0})  //
         + bytes_of({0, 0, 0, 0});
}
Bytes big_endian(int orientation) {
  return bytes_of(
      {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0});
}

TEST(ExifOrientation, IsFoundInBothByteOrders) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(exif_orientation(little_endian(orientation)), orientation);
    EXPECT_EQ(exif_orientation(kPrefix + little_endian(orientation)), orientation);
    EXPECT_EQ(exif_orientation(big_endian(orientation)), orientation);
  }
}

TEST(ExifOrientation, OneForAnythingElse) {
  EXPECT_EQ(exif_orientation({}), 1);
  EXPECT_EQ(exif_orientation(kPrefix), 1);
  for (const int wrong : {0, 9, 255}) EXPECT_EQ(exif_orientation(little_endian(wrong)), 1);
  const Bytes whole = little_endian(6);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + std::ptrdiff_t(size));
    EXPECT_EQ(exif_orientation(part), size < 32 ? 1 : 6) << size;  // the value ends at byte 32
  }
  Bytes other_type = whole;
  other_type[24] = std::byte(4);
  EXPECT_EQ(exif_orientation(other_type), 1);
  Bytes far_directory = whole;
  for (std::size_t i = 4; i < 8; ++i) far_directory[i] = std::byte(255);
  EXPECT_EQ(exif_orientation(far_directory), 1);
  Bytes many_entries = little_endian(1);
  many_entries[8] = many_entries[9] = std::byte(255);
  many_entries[22] = std::byte(0);  // another tag
  EXPECT_EQ(exif_orientation(many_entries), 1);
  EXPECT_EQ(exif_orientation(Bytes(100'000, std::byte('M'))), 1);
}

TEST(Orient, IsWhatPillowDoes) {
  const Image image = scratch::synthetic_picture(3, 2, 1);
  const Json golden = scratch::pillow_golden("orient");
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image turned = orient(image, orientation);
    EXPECT_EQ(turned.width, orientation < 5 ? 3 : 2);
    EXPECT_EQ(turned.height, orientation < 5 ? 2 : 3);
    EXPECT_EQ(turned.pixels,
              scratch::golden_pixels(to_array(golden, "orient").at(std::size_t(orientation - 1))));
  }
  error_of(ErrorKind::usage, [&] { orient(image, 0); });
  error_of(ErrorKind::usage, [&] { orient(image, 9); });
  error_of(ErrorKind::usage, [&] { orient(Image{}, 1); });
}

TEST(Orient, KeepsChannelsTogether) {
  EXPECT_EQ(orient(Image{2, 1, 3, {1, 2, 3, 4, 5, 6}}, 6), (Image{1, 2, 3, {1, 2, 3, 4, 5, 6}}));
  EXPECT_EQ(orient(Image{2, 1, 3, {1, 2, 3, 4, 5, 6}}, 8), (Image{1, 2, 3, {4, 5, 6, 1, 2, 3}}));
}

// Behind the header chunk of 8 + 25 bytes, or just before the last of 12.
Bytes with_png_chunk(const Bytes& png, const Bytes& exif, bool at_end) {
  const Bytes body = bytes_of({'e', 'X', 'I', 'f'}) + exif;
  const auto checksum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), uInt(body.size()));
  const auto number = [](unsigned long value) {
    return bytes_of(
        {int(value >> 24 & 255), int(value >> 16 & 255), int(value >> 8 & 255), int(value & 255)});
  };
  const auto place = png.begin() + std::ptrdiff_t(at_end ? png.size() - 12 : 33);
  return Bytes(png.begin(), place) + number(exif.size()) + body + number(checksum) + Bytes(place, png.end());
}

TEST(DecodeImage, TurnsPngByItsExifChunk) {
  const Image image = scratch::synthetic_picture(5, 3, 3);
  const Bytes png = encode_png(image);
  for (int orientation = 1; orientation <= 8; ++orientation)
    for (const bool at_end : {false, true})
      EXPECT_EQ(decode_image(with_png_chunk(png, big_endian(orientation), at_end), "turned.png"),
                orient(image, orientation));
  EXPECT_EQ(decode_image(with_png_chunk(png, bytes_of({'M', 'M', 0, 42, 9}), false), "broken-exif.png"),
            image);
}

TEST(DecodeImage, TurnsJpegByItsFirstSegment) {
  const Bytes jpeg = encode_jpeg(scratch::synthetic_picture(24, 16, 3), 90);
  const Image image = decode_image(jpeg, "upright.jpg");
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Bytes exif = kPrefix + little_endian(orientation);
    const Bytes segment = bytes_of({0xff, 0xe1, 0, int(exif.size()) + 2}) + exif;
    const Bytes turned =
        Bytes(jpeg.begin(), jpeg.begin() + 2) + segment + Bytes(jpeg.begin() + 2, jpeg.end());
    EXPECT_EQ(decode_image(turned, "turned.jpg"), orient(image, orientation));
  }
}

}  // namespace
}  // namespace diffusion
