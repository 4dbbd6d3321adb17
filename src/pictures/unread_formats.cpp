#include "pictures/unread_formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace diffusion {

namespace {

using namespace std::string_view_literals;

constexpr UnreadFormat kAvif{"an AVIF", "avifdec FILE.avif FILE.png", "libavif-bin"};
constexpr UnreadFormat kHeic{"a HEIC", "heif-convert FILE.heic FILE.png", "libheif-examples"};
constexpr UnreadFormat kJpegXl{"a JPEG XL", "djxl FILE.jxl FILE.png", "libjxl-tools"};
constexpr UnreadFormat kJpeg2000{"a JPEG 2000", "convert FILE.jp2 FILE.png", "imagemagick"};
constexpr UnreadFormat kGif{"a GIF", "convert 'FILE.gif[0]' FILE.png", "imagemagick"};
constexpr UnreadFormat kBmp{"a BMP", "convert FILE.bmp FILE.png", "imagemagick"};

struct Signature {
  std::string_view start;
  UnreadFormat format;
};
constexpr std::array kSignatures{
    Signature{"\xff\x0a"sv, kJpegXl},  // the bare stream
    Signature{"\0\0\0\x0cJXL \r\n\x87\n"sv, kJpegXl},
    Signature{"\0\0\0\x0cjP  \r\n\x87\n"sv, kJpeg2000},
    Signature{"\xff\x4f\xff\x51"sv, kJpeg2000},  // the bare stream
    Signature{"GIF87a"sv, kGif},
    Signature{"GIF89a"sv, kGif},
};

// ISO/IEC 14496-12: a box "ftyp" with a major brand, a version and compatible brands, of four bytes each.
// AVIF and HEIC share the brand mif1, so that the compatible ones decide.
std::optional<UnreadFormat> find_by_brand(std::string_view file) {
  constexpr std::size_t kBrandBytes = 4, kMajorBrand = 8, kVersion = 12, kMaxBoxBytes = 256;
  constexpr std::array kAvifBrands{"avif"sv, "avis"sv};
  constexpr std::array kHeicBrands{"heic"sv, "heix"sv, "hevc"sv, "hevx"sv, "heim"sv,
                                   "heis"sv, "hevm"sv, "hevs"sv, "mif1"sv, "msf1"sv};
  if (file.size() < kVersion || file.substr(4, 4) != "ftyp"sv) return std::nullopt;
  std::size_t box_bytes = 0;
  for (const char byte : file.substr(0, 4)) box_bytes = box_bytes << 8 | std::uint8_t(byte);
  const std::size_t end = std::min({box_bytes, file.size(), kMaxBoxBytes});
  bool is_heic = false;
  for (std::size_t at = kMajorBrand; at + kBrandBytes <= end; at += kBrandBytes) {
    const std::string_view brand = file.substr(at, kBrandBytes);
    if (at != kVersion && std::ranges::find(kAvifBrands, brand) != kAvifBrands.end()) return kAvif;
    is_heic |= at != kVersion && std::ranges::find(kHeicBrands, brand) != kHeicBrands.end();
  }
  return is_heic ? std::optional(kHeic) : std::nullopt;
}

// "BM" alone could begin a text: the size of the second header says more.
bool is_bmp(std::string_view file) {
  constexpr std::size_t kHeaderSize = 14;
  constexpr std::array kHeaderSizes{12, 40, 52, 56, 64, 108, 124};
  if (!file.starts_with("BM") || file.size() < kHeaderSize + 4) return false;
  const auto is_zero = [&](std::size_t i) { return file[kHeaderSize + i] == 0; };
  return std::ranges::find(kHeaderSizes, std::uint8_t(file[kHeaderSize])) != kHeaderSizes.end() &&
         is_zero(1) && is_zero(2) && is_zero(3);
}

}  // namespace

std::optional<UnreadFormat> find_unread_format(std::span<const std::byte> bytes) noexcept {
  const std::string_view file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Signature& signature : kSignatures)
    if (file.starts_with(signature.start)) return signature.format;
  if (is_bmp(file)) return kBmp;
  return find_by_brand(file);
}

std::string describe_conversion(const UnreadFormat& format, const std::string& source_name) {
  return fmt::format(
      "{} is {} image; accepted are PNG, JPEG, TIFF and WebP. This converts it: {} (Debian package {}).",
      source_name, format.name, format.command, format.package);
}

}  // namespace diffusion
