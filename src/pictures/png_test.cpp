#include "pictures/png.h"
#include <diffusion/picture_files.h>

#include <gtest/gtest.h>
#include <png.h>
#include <zlib.h>

#include <cstring>
#include <random>

#include "files/fs.h"
#include "pictures/exif.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;
using Bytes = std::vector<std::byte>;

Image random_image(int width, int height, int channels) {
  std::mt19937 random(unsigned(width * 100 + height * 10 + channels));
  Image image{width, height, channels, std::vector<std::uint8_t>(std::size_t(width * height * channels))};
  for (auto& value : image.pixels) value = std::uint8_t(random());
  return image;
}

struct Layout {
  int bit_depth = 8;
  int color_type = PNG_COLOR_TYPE_GRAY;
  int interlace = PNG_INTERLACE_NONE;
  bool transparency = false;
};

// Packed rows of pseudo-random content, straight through libpng.
Bytes encode(const Layout& layout, int width, int height, std::vector<std::vector<std::uint8_t>>& rows) {
  Bytes bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &bytes,
      [](png_structp p, png_bytep data, png_size_t size) {
        auto* out = static_cast<Bytes*>(png_get_io_ptr(p));
        out->insert(out->end(), reinterpret_cast<std::byte*>(data),
                    reinterpret_cast<std::byte*>(data) + size);
      },
      nullptr);
  png_set_IHDR(png, info, png_uint_32(width), png_uint_32(height), layout.bit_depth, layout.color_type,
               layout.interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (layout.color_type == PNG_COLOR_TYPE_PALETTE) {
    std::vector<png_color> palette(std::size_t(1) << layout.bit_depth);
    std::vector<png_byte> alpha(palette.size());
    for (std::size_t i = 0; i < palette.size(); ++i) {
      palette[i] = {png_byte(i * 3), png_byte(255 - i), png_byte(i ^ 85)};
      alpha[i] = png_byte(i * 7);
    }
    png_set_PLTE(png, info, palette.data(), int(palette.size()));
    if (layout.transparency) png_set_tRNS(png, info, alpha.data(), int(alpha.size()), nullptr);
  } else if (layout.transparency) {
    png_color_16 color{};
    color.gray = color.red = color.green = color.blue = 1;
    png_set_tRNS(png, info, nullptr, 0, &color);
  }
  png_write_info(png, info);
  std::mt19937 random(7);
  rows.assign(std::size_t(height), std::vector<std::uint8_t>(png_get_rowbytes(png, info)));
  std::vector<png_bytep> pointers;
  for (auto& row : rows) {
    for (auto& value : row) value = std::uint8_t(random());
    pointers.push_back(row.data());
  }
  if (layout.transparency && layout.color_type == PNG_COLOR_TYPE_RGB) {
    std::memset(rows[0].data(), 1, 3);  // one transparent pixel for certain
  }
  png_write_image(png, pointers.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

// What decoding must give, from the definition of the format.
Image expected_image(const Layout& layout, int width, int height,
                     const std::vector<std::vector<std::uint8_t>>& rows) {
  const bool palette = layout.color_type == PNG_COLOR_TYPE_PALETTE;
  const int stored = layout.color_type == PNG_COLOR_TYPE_RGB_ALPHA    ? 4
                     : layout.color_type == PNG_COLOR_TYPE_RGB        ? 3
                     : layout.color_type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                                                      : 1;
  Image image{width, height, (palette ? 3 : stored) + (layout.transparency ? 1 : 0), {}};
  for (const auto& row : rows) {
    const auto sample = [&](int index) -> int {
      if (layout.bit_depth == 16) return row[std::size_t(index * 2)] * 256 + row[std::size_t(index * 2 + 1)];
      const int per_byte = 8 / layout.bit_depth;
      const int shift = 8 - layout.bit_depth * (index % per_byte + 1);
      return (row[std::size_t(index / per_byte)] >> shift) & ((1 << layout.bit_depth) - 1);
    };
    const double largest = (1 << layout.bit_depth) - 1;
    for (int x = 0; x < width; ++x) {
      if (palette) {
        const int i = sample(x);
        image.pixels.insert(image.pixels.end(),
                            {std::uint8_t(i * 3), std::uint8_t(255 - i), std::uint8_t(i ^ 85)});
        if (layout.transparency) image.pixels.push_back(std::uint8_t(i * 7));
        continue;
      }
      bool matches = true;
      for (int c = 0; c < stored; ++c) {
        const int value = sample(x * stored + c);
        matches = matches && value == 1;
        image.pixels.push_back(std::uint8_t(value * 255 / largest + 0.5));
      }
      if (layout.transparency) image.pixels.push_back(matches ? 0 : 255);
    }
  }
  return image;
}

TEST(Png, RoundTripOfEveryChannelCount) {
  for (int channels = 1; channels <= 4; ++channels) {
    for (const auto& [width, height] : {std::pair{1, 1}, {1, 9}, {13, 1}, {17, 11}}) {
      const Image image = random_image(width, height, channels);
      EXPECT_EQ(decode_png(encode_png(image), "memory"), image);
    }
  }
}

TEST(Png, ReadsEveryLayout) {
  const std::pair<int, std::vector<int>> depths[] = {{PNG_COLOR_TYPE_GRAY, {1, 2, 4, 8, 16}},
                                                     {PNG_COLOR_TYPE_RGB, {8, 16}},
                                                     {PNG_COLOR_TYPE_PALETTE, {1, 2, 4, 8}},
                                                     {PNG_COLOR_TYPE_GRAY_ALPHA, {8, 16}},
                                                     {PNG_COLOR_TYPE_RGB_ALPHA, {8, 16}}};
  for (const auto& [color_type, bit_depths] : depths) {
    for (const int bit_depth : bit_depths) {
      for (const int interlace : {PNG_INTERLACE_NONE, PNG_INTERLACE_ADAM7}) {
        for (const bool transparency : {false, true}) {
          if (transparency && (color_type & PNG_COLOR_MASK_ALPHA) != 0) continue;
          const Layout layout{bit_depth, color_type, interlace, transparency};
          std::vector<std::vector<std::uint8_t>> rows;
          const Bytes bytes = encode(layout, 19, 11, rows);
          const Image image = decode_png(bytes, "memory");
          const Image expected = expected_image(layout, 19, 11, rows);
          EXPECT_EQ(image.channels, expected.channels);
          EXPECT_EQ(image.pixels, expected.pixels)
              << "color type " << color_type << ", " << bit_depth << " bits";
        }
      }
    }
  }
}

TEST(Png, RejectsEveryTruncation) {
  for (const int interlace : {PNG_INTERLACE_NONE, PNG_INTERLACE_ADAM7}) {
    std::vector<std::vector<std::uint8_t>> rows;
    scratch::expect_refuses_truncation(encode({8, PNG_COLOR_TYPE_RGB, interlace, false}, 9, 7, rows),
                                       decode_png);
  }
}

// Each chunk has a checksum: a changed bit is either found or in a place that does not matter.
TEST(Png, SurvivesDamage) {
  std::vector<std::vector<std::uint8_t>> rows;
  const Bytes bytes = encode({4, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_ADAM7, true}, 9, 7, rows);
  EXPECT_GT(scratch::expect_survives_damage(bytes, decode_png), bytes.size() * 4);
}

TEST(Png, IsTurnedAsInPillow) {
  const Image image = decode_png(scratch::pillow_file("pillow_exif.png"), "pillow_exif.png");
  EXPECT_EQ(image, orient(scratch::synthetic_picture(19, 11, 3), 6));
}

// A text of 10 MB in 10 kB, between header and pixels.
TEST(Png, DoesNotUnpackTexts) {
  std::vector<std::uint8_t> text(10'000'000, 'a'), packed(20'000);
  uLongf size = packed.size();
  ASSERT_EQ(compress2(packed.data(), &size, text.data(), text.size(), 9), Z_OK);
  const std::string_view name = "zTXtComment";
  std::vector<std::uint8_t> body(name.begin(), name.end());
  body.insert(body.end(), {0, 0});
  body.insert(body.end(), packed.begin(), packed.begin() + std::ptrdiff_t(size));
  std::vector<std::vector<std::uint8_t>> rows;
  Bytes bytes = encode({8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, false}, 8, 1, rows);
  const Image image = decode_png(bytes, "memory");
  std::vector<std::uint8_t> chunk;
  const auto append_number = [&](std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) chunk.push_back(std::uint8_t(value >> shift));
  };
  append_number(std::uint32_t(body.size() - 4));
  chunk.insert(chunk.end(), body.begin(), body.end());
  append_number(std::uint32_t(crc32(0, body.data(), uInt(body.size()))));
  const auto* first = reinterpret_cast<const std::byte*>(chunk.data());
  bytes.insert(bytes.begin() + 33, first, first + chunk.size());
  EXPECT_EQ(decode_png(bytes, "text.png"), image);
}

// A header chunk with the right checksum in front of data for one row.
TEST(Png, RefusesTooManyPixelsBeforeTakingMemory) {
  std::vector<std::vector<std::uint8_t>> rows;
  Bytes bytes = encode({1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, false}, 8, 1, rows);
  const auto set_size = [&](std::uint32_t width, std::uint32_t height) {
    for (int i = 0; i < 4; ++i) {
      bytes[std::size_t(16 + i)] = std::byte(width >> (24 - 8 * i));
      bytes[std::size_t(20 + i)] = std::byte(height >> (24 - 8 * i));
    }
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(bytes.data()) + 12, 17);
    for (int i = 0; i < 4; ++i) bytes[std::size_t(29 + i)] = std::byte(crc >> (24 - 8 * i));
  };
  set_size(8, 1);
  EXPECT_NO_THROW(decode_png(bytes, "bomb.png"));
  set_size(65'536, 65'536);
  EXPECT_EQ(error_of(ErrorKind::bad_input, [&] { decode_png(bytes, "bomb.png"); }),
            "bomb.png has 65536 x 65536 pixels, more than the 178956970 accepted.");
  set_size(13'000, 13'000);  // within the limit, but without the data
  error_of(ErrorKind::bad_input, [&] { decode_png(bytes, "bomb.png"); });
  set_size(0, 1);
  error_of(ErrorKind::bad_input, [&] { decode_png(bytes, "bomb.png"); });
  set_size(0x7fffffff, 1);
  error_of(ErrorKind::bad_input, [&] { decode_png(bytes, "bomb.png"); });
}

TEST(WritePng, IsAtomic) {
  const scratch::Folder folder;
  const Image image = random_image(8, 8, 3);
  write_png(folder / "a.png", image);
  const Image noisy = random_image(100, 100, 3);
  {
    const scratch::FileSizeLimit limit(1000);
    error_of(ErrorKind::io, [&] { write_png(folder / "a.png", noisy); });
  }
  EXPECT_EQ(decode_png(read_file(folder / "a.png", 1 << 20), "a.png"), image);
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a.png"});
}

}  // namespace
}  // namespace diffusion
