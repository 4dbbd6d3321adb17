#include "pictures/tiff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include <diffusion/picture_files.h>
#include "pictures/exif.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;
using scratch::synthetic_picture;
using Bytes = std::vector<std::byte>;

constexpr int kWidth = 256, kHeight = 257, kBits = 258, kCompression = 259, kPhotometric = 262,
              kStripOffsets = 273, kOrientation = 274, kSamples = 277, kRowsPerStrip = 278, kStripBytes = 279,
              kPlanar = 284, kTileWidth = 322, kTileHeight = 323, kTileOffsets = 324, kTileBytes = 325,
              kExtraSamples = 338, kSampleFormat = 339;
constexpr int kWhiteIsZero = 0, kBlackIsZero = 1, kRgb = 2;

bool has_tiff() {
  try {
    decode_tiff({}, "");
  } catch (const Error& error) {
    return std::string_view(error.what()).find("built without TIFF") == std::string_view::npos;
  }
  return true;
}

class Tiff : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_tiff()) GTEST_SKIP() << "built without TIFF";
  }
};

// A writer for tests, so that they do not share a library with what they test. Every tag is an array of
// 32-bit numbers.
struct File {
  bool big_endian = false;
  std::map<int, std::vector<std::uint32_t>> tags;
  std::vector<std::vector<std::uint8_t>> blocks;  // strips or tiles

  Bytes bytes() const {
    std::map<int, std::vector<std::uint32_t>> all = tags;
    const bool tiled = tags.contains(kTileWidth);
    Bytes out;
    for (const char c : std::string(big_endian ? "MM" : "II")) out.push_back(std::byte(c));
    append(out, 42, 2);
    append(out, 0, 4);
    auto& offsets = all[tiled ? kTileOffsets : kStripOffsets];
    auto& sizes = all[tiled ? kTileBytes : kStripBytes];
    const bool given = !offsets.empty();
    for (const auto& block : blocks) {
      if (!given) offsets.push_back(std::uint32_t(out.size()));
      if (!given) sizes.push_back(std::uint32_t(block.size()));
      for (const std::uint8_t value : block) out.push_back(std::byte(value));
    }
    std::map<int, std::uint32_t> places;
    for (const auto& [tag, values] : all) {
      places[tag] = std::uint32_t(out.size());
      if (values.size() > 1)
        for (const std::uint32_t value : values) append(out, value, 4);
    }
    if (out.size() % 2 != 0) out.push_back(std::byte(0));
    Bytes start;
    append(start, std::uint32_t(out.size()), 4);
    std::ranges::copy(start, out.begin() + 4);
    append(out, std::uint32_t(all.size()), 2);
    for (const auto& [tag, values] : all) {
      append(out, std::uint32_t(tag), 2);
      append(out, 4, 2);  // LONG
      append(out, std::uint32_t(values.size()), 4);
      append(out, values.size() == 1 ? values[0] : places[tag], 4);
    }
    append(out, 0, 4);
    return out;
  }

  void append(Bytes& out, std::uint32_t value, int size) const {
    for (int i = 0; i < size; ++i)
      out.push_back(std::byte(value >> 8 * (big_endian ? size - 1 - i : i) & 255));
  }
};

std::uint32_t u32(std::size_t value) {
  return std::uint32_t(value);
}

// Channel `c` of a picture, or all for -1, of `columns` x `rows` pixels at (left, top), zeros beyond the
// edge; 16 bits per sample if `wide`.
std::vector<std::uint8_t> part(const Image& image, int left, int top, int columns, int rows, int c, int bits,
                               bool big_endian) {
  std::vector<std::uint8_t> out;
  for (int y = top; y < top + rows; ++y)
    for (int x = left; x < left + columns; ++x)
      for (int s = c < 0 ? 0 : c; s < (c < 0 ? image.channels : c + 1); ++s) {
        const bool inside = x < image.width && y < image.height;
        const int value = inside ? image.pixels[std::size_t((y * image.width + x) * image.channels + s)] : 0;
        // Of 257 numbers of 16 bits that round to the same 8, take one that is not a multiple of 257.
        const int fine = std::clamp(value * 257 + (x * 31 + y) % 256 - 128, 0, 65'535);
        if (bits == 8) out.push_back(std::uint8_t(value));
        if (bits == 16) out.push_back(std::uint8_t(big_endian ? fine >> 8 : fine));
        if (bits == 16) out.push_back(std::uint8_t(big_endian ? fine : fine >> 8));
      }
  return out;
}

struct Form {
  int bits = 8;
  bool planes = false, tiles = false, big_endian = false;
  int extra = 2;  // of an alpha channel: not premultiplied
};

File make_file(const Image& image, const Form& form) {
  const bool alpha = image.channels == 2 || image.channels == 4;
  File file{form.big_endian, {}, {}};
  file.tags[kWidth] = {u32(std::size_t(image.width))};
  file.tags[kHeight] = {u32(std::size_t(image.height))};
  file.tags[kBits].assign(std::size_t(image.channels), u32(std::size_t(form.bits)));
  file.tags[kCompression] = {1};
  file.tags[kPhotometric] = {image.channels <= 2 ? u32(kBlackIsZero) : u32(kRgb)};
  file.tags[kSamples] = {u32(std::size_t(image.channels))};
  file.tags[kPlanar] = {form.planes ? 2u : 1u};
  if (alpha) file.tags[kExtraSamples] = {u32(std::size_t(form.extra))};
  constexpr int kSide = 16, kRows = 4;
  if (form.tiles) {
    file.tags[kTileWidth] = file.tags[kTileHeight] = {kSide};
  } else {
    file.tags[kRowsPerStrip] = {kRows};
  }
  for (int plane = 0; plane < (form.planes ? image.channels : 1); ++plane) {
    const int c = form.planes ? plane : -1;
    for (int top = 0; top < image.height; top += form.tiles ? kSide : kRows)
      for (int left = 0; left < image.width; left += form.tiles ? kSide : image.width) {
        const int columns = form.tiles ? kSide : image.width;
        const int rows = form.tiles ? kSide : std::min(kRows, image.height - top);
        file.blocks.push_back(part(image, left, top, columns, rows, c, form.bits, form.big_endian));
      }
  }
  return file;
}

TEST_F(Tiff, ReadsEveryLayout) {
  for (int channels = 1; channels <= 4; ++channels) {
    const Image image = synthetic_picture(21, 18, channels);
    for (const int bits : {8, 16})
      for (const bool planes : {false, true})
        for (const bool tiles : {false, true})
          for (const bool big_endian : {false, true}) {
            const Bytes bytes = make_file(image, {bits, planes, tiles, big_endian}).bytes();
            ASSERT_TRUE(is_tiff(bytes));
            EXPECT_EQ(decode_image(bytes, "memory"), image)
                << channels << " channels, " << bits << " bits, planes " << planes << ", tiles " << tiles
                << ", big endian " << big_endian;
          }
  }
}

TEST_F(Tiff, ReadsWhatPillowWrites) {
  const auto read = [](const char* name) { return decode_tiff(scratch::pillow_file(name), name); };
  EXPECT_EQ(read("pillow_lzw.tif"), synthetic_picture(19, 11, 3));
  EXPECT_EQ(read("pillow_deflate.tif"), synthetic_picture(19, 11, 4));
  const Image gray = synthetic_picture(19, 11, 1);
  EXPECT_EQ(read("pillow_packbits.tif"), gray);
  EXPECT_EQ(read("pillow_16.tif"), gray);

  Image black_and_white = gray, palette{19, 11, 3, {}};
  for (std::uint8_t& value : black_and_white.pixels) {
    const int index = value % 16;
    palette.pixels.insert(palette.pixels.end(),
                          {std::uint8_t(16 * index), std::uint8_t(255 - index), std::uint8_t(7 * index)});
    value = value >= 128 ? 255 : 0;
  }
  EXPECT_EQ(read("pillow_group4.tif"), black_and_white);
  EXPECT_EQ(read("pillow_palette.tif"), palette);

  const Image jpeg = read("pillow_jpeg.tif");
  const std::vector<std::uint8_t> golden = scratch::golden_pixels(scratch::pillow_golden("tiff_jpeg"));
  ASSERT_EQ(jpeg.pixels.size(), golden.size());
  for (std::size_t i = 0; i < golden.size(); ++i) EXPECT_NEAR(jpeg.pixels[i], golden[i], 2);
}

TEST_F(Tiff, FewBitsAndInvertedGray) {
  File file = make_file(synthetic_picture(5, 1, 1), {});
  file.tags[kBits] = {2};
  file.blocks = {{0b00'01'10'11, 0b01'000000}};
  EXPECT_EQ(decode_tiff(file.bytes(), "memory"), (Image{5, 1, 1, {0, 85, 170, 255, 85}}));
  file.tags[kPhotometric] = {kWhiteIsZero};
  EXPECT_EQ(decode_tiff(file.bytes(), "memory"), (Image{5, 1, 1, {255, 170, 85, 0, 170}}));
  file.tags[kBits] = {8};
  file.blocks = {{0, 1, 100, 254, 255}};
  EXPECT_EQ(decode_tiff(file.bytes(), "memory"), (Image{5, 1, 1, {255, 254, 155, 1, 0}}));
}

TEST_F(Tiff, ExtraChannels) {
  Image image{3, 1, 4, {10, 20, 30, 51, 200, 100, 0, 200, 1, 2, 3, 0}};
  EXPECT_EQ(decode_tiff(make_file(image, {}).bytes(), "memory"), image);
  // Premultiplied: 10 of 51 is 50 of 255.
  const Image expected{3, 1, 4, {50, 100, 150, 51, 255, 128, 0, 200, 1, 2, 3, 0}};
  EXPECT_EQ(decode_tiff(make_file(image, {.extra = 1}).bytes(), "memory"), expected);
  // Of unknown meaning: dropped.
  for (const bool planes : {false, true})
    EXPECT_EQ(decode_tiff(make_file(image, {.planes = planes, .extra = 0}).bytes(), "memory"),
              (Image{3, 1, 3, {10, 20, 30, 200, 100, 0, 1, 2, 3}}));
}

TEST_F(Tiff, OrientationIsHonored) {
  const Image image = synthetic_picture(5, 3, 3);
  File file = make_file(image, {});
  for (int orientation = 1; orientation <= 8; ++orientation) {
    file.tags[kOrientation] = {u32(std::size_t(orientation))};
    EXPECT_EQ(decode_tiff(file.bytes(), "memory"), orient(image, orientation));
  }
}

TEST_F(Tiff, OtherKindsAreRefusedByName) {
  const auto refusal = [](int tag, std::vector<std::uint32_t> values, int channels = 1) {
    File file = make_file(synthetic_picture(8, 8, channels), {});
    file.tags[tag] = std::move(values);
    return error_of(ErrorKind::bad_input, [&] { decode_tiff(file.bytes(), "odd.tif"); });
  };
  const auto expect_says = [](const std::string& message, const std::string& part_of_it) {
    EXPECT_EQ(message.find("odd.tif is not a readable TIFF image: "), 0u) << message;
    EXPECT_NE(message.find(part_of_it), std::string::npos) << message;
  };
  expect_says(refusal(kSampleFormat, {3}), "floating-point numbers; accepted are unsigned integers");
  expect_says(refusal(kSampleFormat, {2}), "signed integers; accepted are unsigned integers");
  expect_says(refusal(kBits, {32}), "1 samples of 32 bits");
  expect_says(refusal(kBits, {4, 4, 4}, 3), "3 samples of 4 bits");
  expect_says(refusal(kPhotometric, {5}, 4), "CMYK (photometric interpretation 5)");
  expect_says(refusal(kPhotometric, {8}, 3), "L*a*b*");
  expect_says(refusal(kPhotometric, {6}, 3), "YCbCr");
  expect_says(refusal(kCompression, {34712}), "compressed by method 34712");
  expect_says(refusal(kCompression, {50000}), "accepted are none, LZW, Deflate");
}

TEST_F(Tiff, RefusesTooManyPixelsBeforeTakingMemory) {
  File file = make_file(synthetic_picture(8, 8, 1), {});
  file.tags[kWidth] = file.tags[kHeight] = {65'536};
  EXPECT_EQ(error_of(ErrorKind::bad_input, [&] { decode_tiff(file.bytes(), "bomb.tif"); }),
            "bomb.tif has 65536 x 65536 pixels, more than the 178956970 accepted.");
  file.tags[kWidth] = file.tags[kHeight] = {13'000};  // within the limit, but without the data
  error_of(ErrorKind::bad_input, [&] { decode_tiff(file.bytes(), "bomb.tif"); });
  file.tags[kRowsPerStrip] = {0xffffffff};
  error_of(ErrorKind::bad_input, [&] { decode_tiff(file.bytes(), "bomb.tif"); });
  file.tags[kWidth] = {0};
  error_of(ErrorKind::bad_input, [&] { decode_tiff(file.bytes(), "bomb.tif"); });
}

TEST_F(Tiff, RefusesOnePlaceForManyTiles) {
  File file = make_file(synthetic_picture(16, 16, 1), {.tiles = true});
  file.tags[kWidth] = file.tags[kHeight] = {4096};
  file.tags[kTileOffsets].assign(65'536, 8);
  file.tags[kTileBytes].assign(65'536, 256);
  EXPECT_NO_THROW(decode_tiff(file.bytes(), "half a megabyte.tif"));
  file.tags[kWidth] = file.tags[kHeight] = {2048};
  file.tags[kTileOffsets].assign(1, 8);  // 16,384 are missing
  file.tags[kTileBytes].assign(1, 256);
  const std::string message = error_of(ErrorKind::bad_input, [&] { decode_tiff(file.bytes(), "small.tif"); });
  EXPECT_NE(message.find("2048 x 2048 pixels cannot be in a file of"), std::string::npos) << message;
}

TEST_F(Tiff, RefusesAbsurdTilesAndStrips) {
  File file = make_file(synthetic_picture(8, 8, 1), {.tiles = true});
  for (const std::uint32_t side : {0u, 65'536u, 0x7ffffff0u, 0xfffffff0u}) {
    file.tags[kTileWidth] = file.tags[kTileHeight] = {side};
    error_of(ErrorKind::bad_input, [&] { decode_tiff(file.bytes(), "tiles.tif"); });
  }
  file = make_file(synthetic_picture(8, 8, 1), {});
  for (const std::uint32_t offset : {100'000u, 0xffffffffu}) {
    file.tags[kStripOffsets] = {offset, offset};
    file.tags[kStripBytes] = {32, 32};
    error_of(ErrorKind::bad_input, [&] { decode_tiff(file.bytes(), "strips.tif"); });
  }
  file = make_file(synthetic_picture(8, 8, 1), {});
  file.tags[kSamples] = {65'535};
  error_of(ErrorKind::bad_input, [&] { decode_tiff(file.bytes(), "samples.tif"); });
}

// The directory is at the end, and the last four bytes of that say whether there is another picture.
TEST_F(Tiff, RejectsEveryTruncation) {
  for (const bool tiles : {false, true}) {
    const Bytes bytes = make_file(synthetic_picture(9, 7, 3), {.tiles = tiles}).bytes();
    scratch::expect_refuses_truncation(std::span(bytes).first(bytes.size() - 4), decode_tiff);
  }
}

TEST_F(Tiff, SurvivesDamage) {
  for (const bool tiles : {false, true}) {
    const Bytes bytes = make_file(synthetic_picture(9, 3, 3), {.planes = tiles, .tiles = tiles}).bytes();
    EXPECT_GT(scratch::expect_survives_damage(bytes, decode_tiff), 100u);
  }
  for (const char* name : {"pillow_lzw.tif", "pillow_packbits.tif", "pillow_group4.tif"})
    EXPECT_GT(scratch::expect_survives_damage(scratch::pillow_file(name), decode_tiff), 100u) << name;
}

TEST(IsTiff, GoesByTheFirstFourBytes) {
  const auto is = [](std::string_view text) { return is_tiff(std::as_bytes(std::span(text))); };
  using namespace std::string_view_literals;
  EXPECT_TRUE(is("II\x2a\0"sv));
  EXPECT_TRUE(is("MM\0\x2a and more"sv));
  EXPECT_TRUE(is("MM\0\x2b"sv));
  EXPECT_FALSE(is("MM\x2a\0"sv));
  EXPECT_FALSE(is("IM\x2a\0"sv));
  EXPECT_FALSE(is("II\x2a"sv));
  EXPECT_FALSE(is(""sv));
}

}  // namespace
}  // namespace diffusion
