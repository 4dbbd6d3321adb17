#include "sound/wav.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include <diffusion/error.h>

namespace diffusion {

namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint16_t kPcm = 1, kFloat = 3, kExtensible = 0xFFFE;
constexpr std::size_t kChunkHeader = 8, kRiffHeader = 12, kFormatSize = 16, kExtensibleSize = 40;
constexpr std::uint32_t kMostWavRate = 768'000;
constexpr int kMostChannels = 256;
constexpr const char* kAccepted = "accepted are PCM of 8, 16, 24 or 32 bits and floats of 32 or 64";

// Codecs that people have, by the number of the format (RFC 2361).
struct Codec {
  std::uint16_t tag;
  const char* name;
};
constexpr std::array<Codec, 12> kCodecs{{{0x0002, "Microsoft ADPCM"},
                                         {0x0006, "A-law"},
                                         {0x0007, "mu-law"},
                                         {0x0011, "IMA ADPCM"},
                                         {0x0016, "G.723 ADPCM"},
                                         {0x0031, "GSM 6.10"},
                                         {0x0040, "G.721 ADPCM"},
                                         {0x0050, "MPEG"},
                                         {0x0055, "MP3"},
                                         {0x00FF, "AAC"},
                                         {0x0161, "Windows Media Audio"},
                                         {0x674F, "Ogg Vorbis"}}};

struct Signature {
  std::string_view begin;
  const char* name;
};
constexpr std::array<Signature, 8> kOtherFormats{{{"fLaC", "FLAC"},
                                                  {"OggS", "Ogg"},
                                                  {"ID3", "MP3"},
                                                  {"\xFF\xFB", "MP3"},
                                                  {"FORM", "AIFF"},
                                                  {".snd", "AU"},
                                                  {"RF64", "RF64, a WAV of more than 4 GB"},
                                                  {"RIFX", "RIFX, a WAV of big-endian numbers"}}};

template <class T>
T little(Bytes bytes, std::size_t at) {
  std::array<std::byte, sizeof(T)> raw;
  std::copy_n(bytes.begin() + std::ptrdiff_t(at), sizeof(T), raw.begin());
  static_assert(std::endian::native == std::endian::little);
  return std::bit_cast<T>(raw);
}

std::string_view text(Bytes bytes, std::size_t at, std::size_t size) {
  const std::size_t begin = std::min(at, bytes.size());
  return {reinterpret_cast<const char*>(bytes.data()) + begin, std::min(size, bytes.size() - begin)};
}

struct WavFormat {
  std::uint16_t tag;
  int channels, bits, frame_bytes;
  std::uint32_t rate;
};

class WavReader {
 public:
  WavReader(Bytes bytes, const std::string& source) : bytes_(bytes), source_(source) {}

  Sound read();

 private:
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> what, Args&&... args) const {
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: {}", source_, fmt::format(what, std::forward<Args>(args)...)));
  }

  void check_riff() const;
  WavFormat parse_format(Bytes chunk) const;
  Sound parse_samples(const WavFormat& format, Bytes data) const;
  double sample(const WavFormat& format, Bytes data, std::size_t at) const;

  Bytes bytes_;
  const std::string& source_;
};

void WavReader::check_riff() const {
  for (const Signature& other : kOtherFormats)
    if (text(bytes_, 0, other.begin.size()) == other.begin)
      fail("this is {}; accepted is WAV, which ffmpeg makes: ffmpeg -i FILE OUT.wav", other.name);
  if (text(bytes_, 0, 4) != "RIFF") fail("this is no WAV file: it does not begin with RIFF");
  if (bytes_.size() < kRiffHeader) fail("the WAV file is cut off: it has {} bytes", bytes_.size());
  if (text(bytes_, 8, 4) != "WAVE") fail("this is no WAV file: it is RIFF, but not of the kind WAVE");
  if (const std::size_t size = little<std::uint32_t>(bytes_, 4); size > bytes_.size() - kChunkHeader)
    fail("the WAV file is cut off: it says that {} bytes follow its first 8, and {} do", size,
         bytes_.size() - kChunkHeader);
}

WavFormat WavReader::parse_format(Bytes chunk) const {
  if (chunk.size() < kFormatSize)
    fail("its chunk \"fmt \" has {} bytes; accepted are {} or more", chunk.size(), kFormatSize);
  WavFormat format{little<std::uint16_t>(chunk, 0), little<std::uint16_t>(chunk, 2),
                   little<std::uint16_t>(chunk, 14), little<std::uint16_t>(chunk, 12),
                   little<std::uint32_t>(chunk, 4)};
  if (format.tag == kExtensible) {
    constexpr std::size_t kGuidAt = 24;
    constexpr std::string_view kGuidEnd("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71", 14);
    if (chunk.size() < kExtensibleSize)
      fail("its chunk \"fmt \" is of WAVE_FORMAT_EXTENSIBLE and has {} bytes; accepted are {} or more",
           chunk.size(), kExtensibleSize);
    if (text(chunk, kGuidAt + 2, kGuidEnd.size()) != kGuidEnd)
      fail("its codec is one of an own GUID; {}", kAccepted);
    format.tag = little<std::uint16_t>(chunk, kGuidAt);
  }
  if (format.tag != kPcm && format.tag != kFloat) {
    const auto* known = std::ranges::find(kCodecs, format.tag, &Codec::tag);
    if (known != kCodecs.end()) fail("its codec is {}; {}", known->name, kAccepted);
    fail("its codec is number {}, which is not known; {}", format.tag, kAccepted);
  }
  const bool known_bits =
      format.tag == kPcm ? format.bits == 8 || format.bits == 16 || format.bits == 24 || format.bits == 32
                         : format.bits == 32 || format.bits == 64;
  if (!known_bits)
    fail("its samples are {} of {} bits; {}", format.tag == kPcm ? "PCM" : "floats", format.bits, kAccepted);
  if (format.channels < 1 || format.channels > kMostChannels)
    fail("it has {} channels; accepted are 1 to {}", format.channels, kMostChannels);
  if (format.frame_bytes != format.channels * format.bits / 8)
    fail("it says that {} bytes hold a sample of each channel, and {} channels of {} bits are {}",
         format.frame_bytes, format.channels, format.bits, format.channels * format.bits / 8);
  if (format.rate < 1 || format.rate > kMostWavRate)
    fail("it has {} samples a second; accepted are 1 to {}", format.rate, kMostWavRate);
  return format;
}

double WavReader::sample(const WavFormat& format, Bytes data, std::size_t at) const {
  if (format.tag == kFloat) return format.bits == 32 ? little<float>(data, at) : little<double>(data, at);
  switch (format.bits) {
    case 8:
      return (int(little<std::uint8_t>(data, at)) - 128) / 128.0;
    case 16:
      return little<std::int16_t>(data, at) / 32768.0;
    case 24: {
      const std::uint32_t raw = std::uint32_t(little<std::uint16_t>(data, at)) |
                                std::uint32_t(little<std::uint8_t>(data, at + 2)) << 16;
      return std::int32_t(raw << 8) / 2147483648.0;
    }
    default:
      return little<std::int32_t>(data, at) / 2147483648.0;
  }
}

Sound WavReader::parse_samples(const WavFormat& format, Bytes data) const {
  const auto frame = std::size_t(format.frame_bytes);
  if (data.empty()) fail("it holds no samples: its length is zero");
  if (data.size() % frame != 0)
    fail("its samples have {} bytes, which is no multiple of {}, those of one sample of each channel",
         data.size(), frame);
  Sound sound{{}, int(format.rate)};
  sound.samples.reserve(data.size() / frame);
  for (std::size_t at = 0; at < data.size(); at += frame) {
    double sum = 0;
    for (int c = 0; c < format.channels; ++c)
      sum += sample(format, data, at + std::size_t(c) * frame / std::size_t(format.channels));
    const auto mean = float(sum / format.channels);
    if (!std::isfinite(mean)) fail("sample {} is {}; accepted are finite numbers", at / frame, mean);
    sound.samples.push_back(mean);
  }
  return sound;
}

Sound WavReader::read() {
  check_riff();
  std::optional<WavFormat> format;
  for (std::size_t at = kRiffHeader; at < bytes_.size();) {
    if (bytes_.size() - at < kChunkHeader) break;  // less than a chunk: padding
    const std::string id(text(bytes_, at, 4));
    const std::size_t size = little<std::uint32_t>(bytes_, at + 4), left = bytes_.size() - at - kChunkHeader;
    if (size > left)
      fail("its chunk \"{}\" has a length of {} bytes, which is beyond the end of the file: {} are left",
           id == "data" || id == "fmt " ? id : "another", size, left);
    const Bytes content = bytes_.subspan(at + kChunkHeader, size);
    if (id == "fmt " && !format) format = parse_format(content);
    if (id == "data") {
      if (!format) fail("its samples come before the chunk \"fmt \" that says what they are");
      return parse_samples(*format, content);
    }
    at += kChunkHeader + size + size % 2;  // chunks begin at even places
  }
  fail("{}", format ? "there is no chunk \"data\" with samples" : "there is no chunk \"fmt \"");
}

// Little-endian.
void put(std::vector<std::byte>& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(std::byte(value >> (8 * i) & 0xFF));
}

void put_text(std::vector<std::byte>& out, std::string_view id) {
  for (const char c : id) out.push_back(std::byte(c));
}

}  // namespace

Sound decode_wav(std::span<const std::byte> bytes, const std::string& source_name) {
  return WavReader(bytes, source_name).read();
}

std::vector<std::byte> encode_wav(const Sound& sound) {
  constexpr double kLargest = 32767;
  constexpr std::uint32_t kBytes = 2;  // of a sample
  const auto data_bytes = std::uint32_t(sound.samples.size()) * kBytes;
  std::vector<std::byte> out;
  out.reserve(kRiffHeader + kChunkHeader + kFormatSize + kChunkHeader + data_bytes);
  put_text(out, "RIFF");
  put(out, std::uint32_t(kRiffHeader + kFormatSize + kChunkHeader + data_bytes), 4);
  put_text(out, "WAVEfmt ");
  put(out, std::uint32_t(kFormatSize), 4);
  put(out, kPcm, 2);
  put(out, 1, 2);  // channel
  put(out, std::uint32_t(sound.sample_rate), 4);
  put(out, std::uint32_t(sound.sample_rate) * kBytes, 4);
  put(out, kBytes, 2);
  put(out, 8 * kBytes, 2);
  put_text(out, "data");
  put(out, data_bytes, 4);
  for (const float x : sound.samples)
    put(out, std::uint32_t(std::lround(std::clamp(double(x), -1.0, 1.0) * kLargest)), int(kBytes));
  return out;
}

float peak_of(std::span<const float> samples) {
  float peak = 0;
  for (const float x : samples) peak = std::max(peak, std::abs(x));
  return peak;
}

}  // namespace diffusion
