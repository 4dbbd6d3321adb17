#include "serve/uploads.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "data/image_form.h"
#include "pictures/resize.h"
#include "serve/api.h"
#include "serve/base64.h"

namespace diffusion::serve {

namespace {

struct Sides {
  std::int64_t width, height;
};

std::int64_t big_endian(std::span<const std::byte> bytes) {
  std::int64_t number = 0;
  for (const std::byte byte : bytes) number = number << 8 | std::int64_t(byte);
  return number;
}

bool begins_with(std::span<const std::byte> bytes, std::span<const int> values) {
  return bytes.size() >= values.size() &&
         std::ranges::equal(bytes.first(values.size()), values, {}, [](std::byte b) { return int(b); });
}

// What the header says; the decoder checks it again.
std::optional<Sides> png_sides(std::span<const std::byte> bytes) {
  constexpr std::array kSignature{0x89, 'P' + 0, 'N' + 0, 'G' + 0, 0x0d, 0x0a, 0x1a, 0x0a};
  if (!begins_with(bytes, kSignature) || bytes.size() < 24) return {};
  return Sides{big_endian(bytes.subspan(16, 4)), big_endian(bytes.subspan(20, 4))};
}

std::optional<Sides> jpeg_sides(std::span<const std::byte> bytes) {
  constexpr std::array kSignature{0xff, 0xd8};
  if (!begins_with(bytes, kSignature)) return {};
  for (std::size_t at = 2; at + 9 <= bytes.size() && bytes[at] == std::byte{0xff};) {
    const int marker = int(bytes[at + 1]);
    if (marker == 0xff) {
      ++at;  // fill bytes
      continue;
    }
    const bool frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) return Sides{big_endian(bytes.subspan(at + 7, 2)), big_endian(bytes.subspan(at + 5, 2))};
    at += 2 + std::size_t(big_endian(bytes.subspan(at + 2, 2)));
  }
  return {};
}

}  // namespace

Image decode_upload(std::span<const std::byte> bytes, std::string_view field, std::int64_t most_pixels) {
  const std::string name(field);
  std::optional<Sides> sides = png_sides(bytes);
  if (!sides) sides = jpeg_sides(bytes);
  if (!sides) throw ApiError(400, fmt::format("{} is no picture; accepted are PNG and JPEG", name), name);
  if (sides->width > 0 && sides->height > most_pixels / sides->width)
    throw ApiError(413,
                   fmt::format("{} has {} x {} pixels; accepted are at most {}", name, sides->width,
                               sides->height, most_pixels),
                   name);
  try {
    return decode_image(bytes, name);
  } catch (const Error& error) {
    throw ApiError(400, error.what(), name);
  }
}

Image decode_base64_upload(std::string_view text, std::string_view field, std::int64_t most_pixels) {
  if (text.starts_with("data:")) text.remove_prefix(std::min(text.find(',') + 1, text.size()));
  const auto bytes = from_base64(text);
  if (!bytes)
    throw ApiError(400, fmt::format("{} is not base64; accepted are a PNG or JPEG in base64", field),
                   std::string(field));
  return decode_upload(*bytes, field, most_pixels);
}

Image fit_upload(const Image& picture, const PictureSize& size) {
  return fit_image(picture, {.height = size.height, .width = size.width, .channels = size.channels});
}

Image mask_of_upload(const Image& picture, const PictureSize& size) {
  const auto channels = std::size_t(picture.channels);
  bool has_alpha = false;  // that says something
  if (channels == 2 || channels == 4)
    for (std::size_t at = channels - 1; at < picture.pixels.size(); at += channels)
      has_alpha = has_alpha || picture.pixels[at] < 255;
  Image mask{picture.width, picture.height, 1, {}};
  const Image gray = has_alpha ? Image() : to_channels(picture, 1, {255, 255, 255});
  for (std::size_t p = 0; p < picture.pixels.size() / channels; ++p)
    mask.pixels.push_back(has_alpha ? std::uint8_t(255 - picture.pixels[p * channels + channels - 1])
                                    : gray.pixels[p]);
  mask = fit_image(mask, {.height = size.height, .width = size.width, .channels = 1});
  for (std::uint8_t& pixel : mask.pixels) pixel = pixel >= 128 ? 255 : 0;
  return mask;
}

}  // namespace diffusion::serve
