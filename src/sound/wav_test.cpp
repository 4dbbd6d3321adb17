#include "sound/wav.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

#include "support/scratch.h"

namespace diffusion {
namespace {

// The bytes of a WAV file, put together by hand.
class WavBytes {
 public:
  WavBytes& text(std::string_view characters) {
    for (const char c : characters) bytes_.push_back(std::byte(c));
    return *this;
  }
  WavBytes& number(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) bytes_.push_back(std::byte(value >> (8 * i)));
    return *this;
  }
  // RIFF, and a chunk "fmt ".
  static WavBytes format(int tag, int channels, int bits, int rate = 8000) {
    WavBytes file;
    file.text("RIFF").number(0, 4).text("WAVEfmt ").number(16, 4).number(unsigned(tag), 2);
    file.number(unsigned(channels), 2).number(unsigned(rate), 4);
    file.number(unsigned(rate * channels * bits / 8), 4).number(unsigned(channels * bits / 8), 2);
    return file.number(unsigned(bits), 2);
  }
  // The chunk "data" and the length of all.
  std::vector<std::byte> with_data(const std::vector<std::uint64_t>& values, int bytes) {
    text("data").number(values.size() * std::size_t(bytes), 4);
    for (const std::uint64_t value : values) number(value, bytes);
    return finished();
  }
  std::vector<std::byte> finished() {
    const std::size_t size = bytes_.size() - 8;
    for (int i = 0; i < 4; ++i) bytes_[std::size_t(4 + i)] = std::byte(size >> (8 * i));
    return bytes_;
  }

 private:
  std::vector<std::byte> bytes_;
};

std::string refusal(const std::vector<std::byte>& bytes) {
  return scratch::error_of(ErrorKind::bad_input, [&] { decode_wav(bytes, "x.wav"); });
}

void expect_refused(const std::vector<std::byte>& bytes, const std::string& words) {
  const std::string message = refusal(bytes);
  EXPECT_EQ(message.find("x.wav"), 0u) << message;
  EXPECT_NE(message.find(words), std::string::npos) << message;
}

using Samples = std::vector<float>;

TEST(Wav, PcmOfAllWidths) {
  EXPECT_EQ(decode_wav(WavBytes::format(1, 1, 8).with_data({128, 0, 192}, 1), "x").samples,
            (Samples{0, -1, 0.5}));
  EXPECT_EQ(decode_wav(WavBytes::format(1, 1, 16).with_data({0x4000, 0x8000}, 2), "x").samples,
            (Samples{0.5, -1}));
  EXPECT_EQ(decode_wav(WavBytes::format(1, 1, 24).with_data({0x400000, 0x800000, 0xFFFFFF}, 3), "x").samples,
            (Samples{0.5, -1, float(-1 / 8388608.0)}));
  EXPECT_EQ(decode_wav(WavBytes::format(1, 1, 32).with_data({0x40000000, 0x80000000}, 4), "x").samples,
            (Samples{0.5, -1}));
}

TEST(Wav, FloatsOfBothWidths) {
  const auto quarter = std::bit_cast<std::uint32_t>(0.25F);
  EXPECT_EQ(decode_wav(WavBytes::format(3, 1, 32).with_data({quarter}, 4), "x").samples, (Samples{0.25}));
  const auto half = std::bit_cast<std::uint64_t>(-1.5);
  const Sound sound = decode_wav(WavBytes::format(3, 1, 64, 44100).with_data({half}, 8), "x");
  EXPECT_EQ(sound.samples, (Samples{-1.5}));
  EXPECT_EQ(sound.sample_rate, 44100);
}

TEST(Wav, ChannelsAreMixed) {
  const Sound sound =
      decode_wav(WavBytes::format(1, 2, 16).with_data({0x4000, 0x2000, 0x4000, 0xC000}, 2), "x");
  EXPECT_EQ(sound.samples, (Samples{0.375, 0}));
}

TEST(Wav, Extensible) {
  WavBytes file;
  file.text("RIFF").number(0, 4).text("WAVEfmt ").number(40, 4).number(0xFFFE, 2).number(1, 2);
  file.number(8000, 4).number(16000, 4).number(2, 2).number(16, 2).number(22, 2).number(16, 2).number(4, 4);
  file.number(1, 2).text(std::string_view("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71", 14));
  EXPECT_EQ(decode_wav(file.with_data({0x4000}, 2), "x").samples, (Samples{0.5}));
}

TEST(Wav, OtherChunksArePassedOver) {
  WavBytes file = WavBytes::format(1, 1, 16);
  file.text("LIST").number(3, 4).text("abc").number(0, 1);  // an odd length has a byte of padding
  EXPECT_EQ(decode_wav(file.with_data({0x4000}, 2), "x").samples, (Samples{0.5}));
}

TEST(Wav, OtherCodecsAreNamed) {
  expect_refused(WavBytes::format(2, 1, 4).with_data({1}, 1), "Microsoft ADPCM");
  expect_refused(WavBytes::format(7, 1, 8).with_data({1}, 1), "mu-law");
  expect_refused(WavBytes::format(0x55, 1, 16).with_data({1}, 2), "MP3");
  expect_refused(WavBytes::format(0x1234, 1, 16).with_data({1}, 2), "number 4660");
  expect_refused(WavBytes::format(1, 1, 12).with_data({1}, 2), "PCM of 12 bits");
  expect_refused(WavBytes::format(3, 1, 16).with_data({1}, 2), "floats of 16 bits");
  expect_refused(WavBytes().text("fLaC....").finished(), "FLAC");
  expect_refused(WavBytes().text("ID3.....").finished(), "MP3");
}

TEST(Wav, LengthsBeyondTheFileAndCutFiles) {
  std::vector<std::byte> whole = WavBytes::format(1, 1, 16).with_data({1, 2, 3, 4}, 2);
  EXPECT_EQ(decode_wav(whole, "x").samples.size(), 4u);
  for (std::size_t size = 0; size < whole.size(); ++size)
    refusal({whole.begin(), whole.begin() + std::ptrdiff_t(size)});
  whole.pop_back();
  expect_refused(whole, "cut off: it says that 44 bytes follow its first 8, and 43 do");
  WavBytes long_data = WavBytes::format(1, 1, 16);
  expect_refused(long_data.text("data").number(1000, 4).number(0, 8).finished(),
                 "beyond the end of the file");
}

TEST(Wav, NoSamplesAndImpossibleOnes) {
  expect_refused(WavBytes::format(1, 1, 16).with_data({}, 2), "length is zero");
  expect_refused(WavBytes::format(1, 1, 16).finished(), "no chunk \"data\"");
  expect_refused(WavBytes::format(1, 2, 16).with_data({1, 2, 3}, 2), "no multiple of 4");
  expect_refused(WavBytes::format(1, 0, 16).with_data({1}, 2), "0 channels");
  expect_refused(WavBytes::format(1, 1, 16, 0).with_data({1}, 2), "0 samples a second");
  const auto nan = std::bit_cast<std::uint32_t>(std::numeric_limits<float>::quiet_NaN());
  expect_refused(WavBytes::format(3, 1, 32).with_data({0, nan}, 4), "sample 1 is nan");
}

TEST(Wav, WhatIsWrittenIsRead) {
  const Sound sound{{0, 0.5, -0.25, 1, -1, 2}, 11025};
  const Sound back = decode_wav(encode_wav(sound), "x");
  EXPECT_EQ(back.sample_rate, 11025);
  ASSERT_EQ(back.samples.size(), 6u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(back.samples[i], sound.samples[i], 5e-5) << i;
  EXPECT_NEAR(back.samples[5], 1, 5e-5);  // limited
}

}  // namespace
}  // namespace diffusion
