#include "pictures/jpeg.h"
#include <diffusion/picture_files.h>

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>

#include <jpeglib.h>

#include "files/fs.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;
using Bytes = std::vector<std::byte>;

// A smooth picture, which JPEG keeps almost exactly.
Image gradient(int width, int height, int channels) {
  Image image{width, height, channels, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) image.pixels.push_back(std::uint8_t(40 + 4 * x + 3 * y + 20 * c));
    }
  }
  return image;
}

using Setup = std::function<void(jpeg_compress_struct&)>;

// Straight through libjpeg.
Bytes encode(const Image& image, J_COLOR_SPACE color_space, const Setup& setup) {
  jpeg_compress_struct state{};
  jpeg_error_mgr manager{};
  state.err = jpeg_std_error(&manager);
  jpeg_create_compress(&state);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&state, &buffer, &size);
  state.image_width = JDIMENSION(image.width);
  state.image_height = JDIMENSION(image.height);
  state.input_components = image.channels;
  state.in_color_space = color_space;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, 98, TRUE);
  setup(state);
  jpeg_start_compress(&state, TRUE);
  std::vector<std::uint8_t> pixels = image.pixels;
  for (int y = 0; y < image.height; ++y) {
    JSAMPROW row = pixels.data() + std::size_t(y * image.width * image.channels);
    jpeg_write_scanlines(&state, &row, 1);
  }
  jpeg_finish_compress(&state);
  jpeg_destroy_compress(&state);
  const auto* first = reinterpret_cast<const std::byte*>(buffer);
  Bytes bytes(first, first + size);
  std::free(buffer);
  return bytes;
}

Bytes encode(const Image& image, J_COLOR_SPACE color_space, bool progressive) {
  return encode(image, color_space, [&](jpeg_compress_struct& state) {
    if (progressive) jpeg_simple_progression(&state);
  });
}

void expect_near(const Image& a, const Image& b, int tolerance) {
  ASSERT_EQ(a.pixels.size(), b.pixels.size());
  for (std::size_t i = 0; i < a.pixels.size(); ++i) EXPECT_NEAR(a.pixels[i], b.pixels[i], tolerance) << i;
}

// The frame header: ff c0 or ff c2, length, precision, height, width.
void set_size(Bytes& bytes, int width, int height) {
  std::size_t frame = 0;
  const auto is_frame = [](std::byte marker) {
    return marker == std::byte(0xc0) || marker == std::byte(0xc2);
  };
  while (bytes[frame] != std::byte(0xff) || !is_frame(bytes[frame + 1])) ++frame;
  bytes[frame + 5] = std::byte(height >> 8);
  bytes[frame + 6] = std::byte(height & 255);
  bytes[frame + 7] = std::byte(width >> 8);
  bytes[frame + 8] = std::byte(width & 255);
}

TEST(Jpeg, ReadsGrayAndColor) {
  for (const bool progressive : {false, true}) {
    for (const int channels : {1, 3}) {
      const Image image = gradient(21, 13, channels);
      const Image read =
          decode_jpeg(encode(image, channels == 1 ? JCS_GRAYSCALE : JCS_RGB, progressive), "memory");
      ASSERT_EQ(read.width, 21);
      ASSERT_EQ(read.height, 13);
      ASSERT_EQ(read.channels, channels);
      expect_near(read, image, 6);
    }
  }
}

TEST(Jpeg, IsFoundByReadImage) {
  const scratch::Folder folder;
  const Bytes bytes = encode(gradient(16, 16, 3), JCS_RGB, false);
  write_file(folder / "photo.png", bytes);
  EXPECT_EQ(read_image(folder / "photo.png"), decode_jpeg(bytes, "memory"));
}

TEST(Jpeg, CmykBecomesRgbAsInPillow) {
  const Image read = decode_jpeg(scratch::pillow_file("pillow_cmyk.jpg"), "pillow_cmyk.jpg");
  expect_near(read, {16, 16, 3, scratch::golden_pixels(scratch::pillow_golden("cmyk"))}, 1);
}

TEST(Jpeg, YcckIsCmykInOtherClothes) {
  const Image image = gradient(16, 16, 4);
  const Bytes ycck = encode(image, JCS_CMYK, [](auto& state) { jpeg_set_colorspace(&state, JCS_YCCK); });
  const Image read = decode_jpeg(ycck, "memory");
  ASSERT_EQ(read.channels, 3);
  expect_near(read, decode_jpeg(encode(image, JCS_CMYK, false), "memory"), 6);
  // The last channel is the light that black leaves: red = c k / 255.
  EXPECT_NEAR(read.pixels[0], 40 * 100 / 255, 4);
}

TEST(Jpeg, RefusesOtherComponents) {
  const Bytes bytes = encode(gradient(8, 8, 2), JCS_UNKNOWN, false);
  const std::string message = error_of(ErrorKind::bad_input, [&] { decode_jpeg(bytes, "odd.jpg"); });
  EXPECT_NE(message.find("odd.jpg is a JPEG image with 2 color components"), std::string::npos) << message;
}

TEST(Jpeg, RejectsEveryTruncation) {
  for (const bool progressive : {false, true})
    scratch::expect_refuses_truncation(encode(gradient(16, 16, 3), JCS_RGB, progressive), decode_jpeg);
}

// JPEG has no checksums, so some damage is only a different picture; what must not happen is a crash.
TEST(Jpeg, SurvivesDamage) {
  for (const bool progressive : {false, true}) {
    const Bytes bytes = encode(gradient(16, 16, 3), JCS_RGB, progressive);
    EXPECT_GT(scratch::expect_survives_damage(bytes, decode_jpeg), 100u);
  }
}

TEST(Jpeg, RefusesTooManyPixelsBeforeTakingMemory) {
  Bytes bytes = encode(gradient(16, 16, 3), JCS_RGB, false);
  set_size(bytes, 0xfafa, 0xfafa);
  const std::string message = error_of(ErrorKind::bad_input, [&] { decode_jpeg(bytes, "bomb.jpg"); });
  EXPECT_EQ(message, "bomb.jpg has 64250 x 64250 pixels, more than the 178956970 accepted.");
}

// Progressive pictures are decoded as a whole: a gigabyte here.
TEST(Jpeg, SmallFileCannotAskForMuchMemory) {
  Bytes bytes = encode(gradient(16, 16, 3), JCS_RGB, true);
  set_size(bytes, 13'000, 13'000);
  error_of(ErrorKind::bad_input, [&] { decode_jpeg(bytes, "bomb.jpg"); });
  set_size(bytes, 16, 16);
  EXPECT_NO_THROW(decode_jpeg(bytes, "fine.jpg"));
}

TEST(Jpeg, BlankProgressivePictureIsNoBomb) {
  const Image blank{4000, 3000, 1, std::vector<std::uint8_t>(12'000'000, 255)};
  const Bytes bytes = encode(blank, JCS_GRAYSCALE, true);
  EXPECT_EQ(decode_jpeg(bytes, "blank.jpg"), blank);
}

// Scans of one coefficient each, again and again: the encoder refuses that, so the last scan's bytes are
// repeated.
TEST(Jpeg, RefusesEndlessScans) {
  const Bytes bytes = encode(gradient(16, 16, 1), JCS_GRAYSCALE, true);
  std::size_t last_scan = bytes.size();
  while (bytes[last_scan - 2] != std::byte(0xff) || bytes[last_scan - 1] != std::byte(0xda)) --last_scan;
  last_scan -= 2;
  Bytes many(bytes.begin(), bytes.begin() + std::ptrdiff_t(last_scan));
  for (int i = 0; i < 1000; ++i)
    many.insert(many.end(), bytes.begin() + std::ptrdiff_t(last_scan), bytes.end() - 2);
  many.insert(many.end(), bytes.end() - 2, bytes.end());
  error_of(ErrorKind::bad_input, [&] { decode_jpeg(many, "slow.jpg"); });
}

TEST(EncodeJpeg, KeepsSmoothPictures) {
  for (const int channels : {1, 3}) {
    const Image image = gradient(21, 13, channels);
    const Image read = decode_jpeg(encode_jpeg(image, 95), "memory");
    ASSERT_EQ(read.channels, channels);
    expect_near(read, image, 8);
  }
  const Image noisy = scratch::synthetic_picture(64, 64, 3);
  EXPECT_LT(encode_jpeg(noisy, 10).size(), encode_jpeg(noisy, 90).size() / 2);
}

TEST(EncodeJpeg, RefusesWhatItCannotHold) {
  const std::string message = error_of(ErrorKind::usage, [] { encode_jpeg(gradient(2, 1, 4), 90); });
  EXPECT_NE(message.find("4 channels"), std::string::npos) << message;
  error_of(ErrorKind::usage, [] { encode_jpeg(gradient(2, 1, 2), 90); });
  error_of(ErrorKind::usage, [] { encode_jpeg(gradient(2, 1, 3), 0); });
  error_of(ErrorKind::usage, [] { encode_jpeg(gradient(2, 1, 3), 101); });
  error_of(ErrorKind::usage, [] { encode_jpeg({65'501, 1, 1, std::vector<std::uint8_t>(65'501)}, 90); });
  error_of(ErrorKind::usage, [] { encode_jpeg(Image{}, 90); });
}

TEST(WriteJpeg, IsAtomic) {
  const scratch::Folder folder;
  write_jpeg(folder / "a.jpg", gradient(8, 8, 1), 95);
  const Image before = read_image(folder / "a.jpg");
  {
    const scratch::FileSizeLimit limit(1000);
    error_of(ErrorKind::io,
             [&] { write_jpeg(folder / "a.jpg", scratch::synthetic_picture(100, 100, 3), 95); });
  }
  EXPECT_EQ(read_image(folder / "a.jpg"), before);
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a.jpg"});
}

}  // namespace
}  // namespace diffusion
