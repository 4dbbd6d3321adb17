#include "pictures/webp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "pictures/exif.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of, scratch::pillow_file, scratch::synthetic_picture;
using Bytes = std::vector<std::byte>;

// The files of tests/golden/pillow_goldens.py: 19 x 11 pixels, and what Pillow made of them.
Image golden(const std::string& name, int channels) {
  const Json all = scratch::pillow_golden("webp");
  return {19, 11, channels, scratch::golden_pixels(member(all, name, "pillow_images.json"))};
}

Image decode_named_webp(const std::string& name) {
  return decode_webp(pillow_file("pillow_" + name + ".webp"), name);
}

// Behind "RIFF", the size and "WEBP": the chunk VP8X of 8 + 10 bytes, which ends with width - 1 and height
// - 1.
constexpr std::size_t kCanvasSize = 24;

void put_24_bits(Bytes& bytes, std::size_t at, unsigned value) {
  for (std::size_t i = 0; i < 3; ++i) bytes[at + i] = std::byte(value >> (8 * i) & 255);
}

std::size_t find(const Bytes& bytes, std::string_view name) {
  const auto found = std::ranges::search(bytes, std::as_bytes(std::span(name)));
  EXPECT_FALSE(found.empty()) << name;
  return std::size_t(found.begin() - bytes.begin());
}

TEST(Webp, KeepsWhatIsLossless) {
  EXPECT_EQ(decode_named_webp("lossless"), synthetic_picture(19, 11, 3));
  EXPECT_EQ(decode_named_webp("lossless_alpha"), synthetic_picture(19, 11, 4));
}

TEST(Webp, IsReadAsByPillow) {
  for (const auto& [name, channels] :
       {std::pair{"lossless", 3}, {"lossless_alpha", 4}, {"lossy", 3}, {"lossy_alpha", 4}, {"animation", 4}})
    EXPECT_EQ(decode_named_webp(name), golden(name, channels)) << name;
}

TEST(Webp, IsTurnedByItsExifChunk) {
  Bytes bytes = pillow_file("pillow_exif.webp");
  EXPECT_EQ(decode_webp(bytes, "exif"), orient(synthetic_picture(19, 11, 3), 6));
  EXPECT_EQ(decode_webp(bytes, "exif").pixels, golden("exif", 3).pixels);
  bytes[find(bytes, "EXIF") + 8] = std::byte('?');  // broken: as it is
  EXPECT_EQ(decode_webp(bytes, "exif"), synthetic_picture(19, 11, 3));
}

// On a canvas of 24 x 16, with the first frame 4 to the right and 2 down. Places are counted in twos.
TEST(Webp, PutsTheFirstFrameOfAnAnimationWhereItBelongs) {
  Bytes bytes = pillow_file("pillow_animation.webp");
  put_24_bits(bytes, kCanvasSize, 24 - 1);
  put_24_bits(bytes, kCanvasSize + 3, 16 - 1);
  const std::size_t frame = find(bytes, "ANMF") + 8;
  put_24_bits(bytes, frame, 4 / 2);
  put_24_bits(bytes, frame + 3, 2 / 2);
  const Image image = decode_webp(bytes, "canvas");
  ASSERT_EQ(image.width, 24);
  ASSERT_EQ(image.height, 16);
  ASSERT_EQ(image.channels, 4);
  const Image first = golden("animation", 4);
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 24; ++x)
      for (int c = 0; c < 4; ++c) {
        const bool inside = x >= 4 && x < 4 + 19 && y >= 2 && y < 2 + 11;
        const int expected = inside ? first.pixels[std::size_t(((y - 2) * 19 + x - 4) * 4 + c)] : 0;
        ASSERT_EQ(image.pixels[std::size_t((y * 24 + x) * 4 + c)], expected) << x << " " << y;
      }
  put_24_bits(bytes, frame, 6 / 2);  // one column too far
  error_of(ErrorKind::bad_input, [&] { decode_webp(bytes, "canvas"); });
}

TEST(Webp, RefusesTooManyPixelsBeforeTakingMemory) {
  Bytes bytes = pillow_file("pillow_animation.webp");
  put_24_bits(bytes, kCanvasSize, 65'536 - 1);
  put_24_bits(bytes, kCanvasSize + 3, 65'535 - 1);
  EXPECT_EQ(error_of(ErrorKind::bad_input, [&] { decode_webp(bytes, "bomb.webp"); }),
            "bomb.webp has 65536 x 65535 pixels, more than the 178956970 accepted.");
  // A picture that is no animation tells its size twice.
  bytes = pillow_file("pillow_exif.webp");
  put_24_bits(bytes, kCanvasSize, 13'000 - 1);
  put_24_bits(bytes, kCanvasSize + 3, 13'000 - 1);
  error_of(ErrorKind::bad_input, [&] { decode_webp(bytes, "bomb.webp"); });
}

TEST(Webp, RejectsEveryTruncation) {
  for (const char* name : {"lossless", "lossless_alpha", "lossy", "lossy_alpha", "exif", "animation"})
    scratch::expect_refuses_truncation(pillow_file(std::string("pillow_") + name + ".webp"), decode_webp);
}

// WebP has no checksums, so some damage is only a different picture; what must not happen is a crash.
TEST(Webp, SurvivesDamage) {
  for (const char* name : {"lossless", "lossless_alpha", "lossy", "lossy_alpha", "exif", "animation"}) {
    const Bytes bytes = pillow_file(std::string("pillow_") + name + ".webp");
    EXPECT_GT(scratch::expect_survives_damage(bytes, decode_webp), 100u) << name;
  }
}

TEST(IsWebp, GoesByTheFirstTwelveBytes) {
  const auto is = [](std::string_view text) { return is_webp(std::as_bytes(std::span(text))); };
  EXPECT_TRUE(is("RIFF....WEBP"));
  EXPECT_FALSE(is("RIFF....WAVEfmt "));
  EXPECT_FALSE(is("RIFF....WEB"));
  EXPECT_FALSE(is("WEBP"));
  EXPECT_FALSE(is(""));
}

}  // namespace
}  // namespace diffusion
