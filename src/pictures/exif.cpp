#include "pictures/exif.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include <diffusion/error.h>
#include "pictures/image_checks.h"

namespace diffusion {

namespace {

// The numbers of a TIFF structure, of which EXIF is one; nothing where they would lie outside.
struct TiffNumbers {
  std::span<const std::byte> bytes;
  bool big_endian;

  std::optional<std::uint32_t> at(std::size_t offset, std::size_t size) const {
    if (offset > bytes.size() || bytes.size() - offset < size) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | std::to_integer<std::uint32_t>(bytes[offset + (big_endian ? i : size - 1 - i)]);
    return value;
  }
};

bool starts_with(std::span<const std::byte> bytes, std::span<const std::uint8_t> start) {
  return bytes.size() >= start.size() && std::ranges::equal(bytes.first(start.size()), std::as_bytes(start));
}

}  // namespace

int exif_orientation(std::span<const std::byte> exif) noexcept {
  constexpr std::array<std::uint8_t, 6> kPrefix = {'E', 'x', 'i', 'f', 0, 0};
  constexpr std::array<std::uint8_t, 4> kLittle = {'I', 'I', 42, 0}, kBig = {'M', 'M', 0, 42};
  constexpr std::uint32_t kOrientationTag = 274, kTypeShort = 3;
  constexpr std::size_t kEntryBytes = 12;

  if (starts_with(exif, kPrefix)) exif = exif.subspan(kPrefix.size());
  const bool big_endian = starts_with(exif, kBig);
  if (!big_endian && !starts_with(exif, kLittle)) return 1;
  const TiffNumbers numbers{exif, big_endian};
  const std::size_t directory = numbers.at(4, 4).value_or(0);
  const std::uint32_t entries = directory == 0 ? 0 : numbers.at(directory, 2).value_or(0);
  for (std::uint32_t i = 0; i < entries; ++i) {
    // tag, type: 2 bytes each; count: 4; the value: 4, of which a short uses the first 2
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    const auto tag = numbers.at(entry, 2);
    if (!tag) return 1;
    if (*tag != kOrientationTag) continue;
    const auto value = numbers.at(entry + 8, 2);
    const bool sound = value && numbers.at(entry + 2, 2) == kTypeShort && numbers.at(entry + 4, 4) == 1u;
    return sound && *value >= 1 && *value <= 8 ? int(*value) : 1;
  }
  return 1;
}

Image orient(Image image, int orientation) {
  check_image(image);
  if (orientation < 1 || orientation > 8)
    throw Error(ErrorKind::usage,
                fmt::format("The orientation of a picture is {}; accepted are 1 to 8.", orientation));
  if (orientation == 1) return image;
  // Pixel (x, y) of the result is pixel (u, v) of the original.
  const bool swaps = orientation >= 5;
  const bool mirrors_u = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirrors_v = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const std::size_t width = std::size_t(image.width), height = std::size_t(image.height);
  const std::size_t channels = std::size_t(image.channels);
  Image out{swaps ? image.height : image.width, swaps ? image.width : image.height, image.channels, {}};
  out.pixels.reserve(image.pixels.size());
  for (std::size_t y = 0; y < std::size_t(out.height); ++y)
    for (std::size_t x = 0; x < std::size_t(out.width); ++x) {
      const std::size_t u = swaps ? y : x, v = swaps ? x : y;
      const std::size_t row = mirrors_v ? height - 1 - v : v, column = mirrors_u ? width - 1 - u : u;
      const std::uint8_t* pixel = image.pixels.data() + (row * width + column) * channels;
      out.pixels.insert(out.pixels.end(), pixel, pixel + channels);
    }
  return out;
}

}  // namespace diffusion
