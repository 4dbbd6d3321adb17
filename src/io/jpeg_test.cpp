#include "io/jpeg.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include "io/fs.h"
#include "io/scratch.h"

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

Bytes encode(const Image& image, J_COLOR_SPACE color_space, bool progressive) {
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
  if (progressive) jpeg_simple_progression(&state);
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

TEST(Jpeg, ReadsGrayAndColor) {
  for (const bool progressive : {false, true}) {
    for (const int channels : {1, 3}) {
      const Image image = gradient(21, 13, channels);
      const Image read =
          decode_jpeg(encode(image, channels == 1 ? JCS_GRAYSCALE : JCS_RGB, progressive), "memory");
      ASSERT_EQ(read.width, 21);
      ASSERT_EQ(read.height, 13);
      ASSERT_EQ(read.channels, channels);
      ASSERT_EQ(read.pixels.size(), image.pixels.size());
      for (std::size_t i = 0; i < image.pixels.size(); ++i)
        EXPECT_NEAR(read.pixels[i], image.pixels[i], 6) << i;
    }
  }
}

TEST(Jpeg, IsFoundByReadImage) {
  const scratch::Folder folder;
  const Bytes bytes = encode(gradient(16, 16, 3), JCS_RGB, false);
  write_file(folder / "photo.png", bytes);
  EXPECT_EQ(read_image(folder / "photo.png"), decode_jpeg(bytes, "memory"));
}

TEST(Jpeg, RefusesCmyk) {
  const Bytes bytes = encode(gradient(8, 8, 4), JCS_CMYK, false);
  const std::string message = error_of(ErrorKind::bad_input, [&] { decode_jpeg(bytes, "print.jpg"); });
  EXPECT_NE(message.find("print.jpg is a JPEG image with 4 color components"), std::string::npos) << message;
}

TEST(Jpeg, RejectsEveryTruncation) {
  for (const bool progressive : {false, true}) {
    const Bytes bytes = encode(gradient(16, 16, 3), JCS_RGB, progressive);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const std::string message =
          error_of(ErrorKind::bad_input, [&] { decode_jpeg(std::span(bytes).first(size), "cut.jpg"); });
      EXPECT_NE(message.find("cut.jpg"), std::string::npos) << message;
    }
  }
}

// JPEG has no checksums, so some damage is only a different picture; what must not happen is a crash.
TEST(Jpeg, SurvivesDamage) {
  std::size_t rejected = 0;
  for (const bool progressive : {false, true}) {
    const Bytes bytes = encode(gradient(16, 16, 3), JCS_RGB, progressive);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      Bytes damaged = bytes;
      damaged[bit / 8] ^= std::byte(1 << (bit % 8));
      try {
        const Image read = decode_jpeg(damaged, "damaged.jpg");
        EXPECT_NO_THROW(check_image(read));
      } catch (const Error& error) {
        EXPECT_EQ(int(error.kind()), int(ErrorKind::bad_input));
        ++rejected;
      }
    }
  }
  EXPECT_GT(rejected, 100u);
}

TEST(Jpeg, RefusesTooManyPixelsBeforeTakingMemory) {
  Bytes bytes = encode(gradient(16, 16, 3), JCS_RGB, false);
  // The frame header: ff c0, length, precision, height, width.
  std::size_t frame = 0;
  while (bytes[frame] != std::byte(0xff) || bytes[frame + 1] != std::byte(0xc0)) ++frame;
  for (std::size_t i = 5; i < 9; ++i) bytes[frame + i] = std::byte(0xfa);
  const std::string message = error_of(ErrorKind::bad_input, [&] { decode_jpeg(bytes, "bomb.jpg"); });
  EXPECT_EQ(message, "bomb.jpg has 64250 x 64250 pixels, more than the 178956970 accepted.");
}

}  // namespace
}  // namespace diffusion
