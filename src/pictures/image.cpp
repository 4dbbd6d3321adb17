#include <diffusion/image.h>

#include <fmt/format.h>

#include <algorithm>

#include <diffusion/error.h>
#include "pictures/image_checks.h"

namespace diffusion {

void check_image(const Image& image) {
  const bool sizes_fit = image.width > 0 && image.height > 0 && image.channels >= 1 && image.channels <= 4;
  const std::int64_t pixels = std::int64_t(image.width) * image.height;
  if (!sizes_fit || pixels > kMaxPixels || std::int64_t(image.pixels.size()) != pixels * image.channels) {
    throw Error(
        ErrorKind::usage,
        fmt::format("An image of {} x {} pixels with {} channels and {} bytes of data is not possible.",
                    image.width, image.height, image.channels, image.pixels.size()));
  }
}

void check_pixel_count(std::int64_t width, std::int64_t height, const std::string& source_name) {
  if (height < 1 || width <= kMaxPixels / height) return;
  throw Error(ErrorKind::bad_input, fmt::format("{} has {} x {} pixels, more than the {} accepted.",
                                                source_name, width, height, kMaxPixels));
}

Image make_grid(std::span<const Image> images, int columns, int gap, std::uint8_t background) {
  if (images.empty() || columns < 1 || gap < 0) {
    throw Error(ErrorKind::usage,
                fmt::format("A grid needs at least one image, one column and a gap of 0 or more, got "
                            "{} images, {} columns and a gap of {}.",
                            images.size(), columns, gap));
  }
  const Image& first = images.front();
  for (const Image& image : images) {
    check_image(image);
    if (image.width != first.width || image.height != first.height || image.channels != first.channels) {
      throw Error(
          ErrorKind::usage,
          fmt::format("The images of a grid must be alike, got {} x {} x {} and {} x {} x {}.", first.width,
                      first.height, first.channels, image.width, image.height, image.channels));
    }
  }
  const std::int64_t count = std::int64_t(images.size());
  const std::int64_t used_columns = std::min<std::int64_t>(columns, count);
  const std::int64_t rows = (count + used_columns - 1) / used_columns;
  const std::int64_t width = used_columns * (first.width + std::int64_t(gap)) - gap;
  const std::int64_t height = rows * (first.height + std::int64_t(gap)) - gap;
  if (width > kMaxPixels / height) {
    throw Error(ErrorKind::usage, fmt::format("A grid of {} x {} pixels is larger than the {} accepted.",
                                              width, height, kMaxPixels));
  }

  Image grid{int(width), int(height), first.channels, {}};
  grid.pixels.assign(std::size_t(width * height * first.channels), background);
  const std::int64_t tile_row_bytes = std::int64_t(first.width) * first.channels;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t left = (i % used_columns) * (first.width + gap);
    const std::int64_t top = (i / used_columns) * (first.height + gap);
    for (std::int64_t y = 0; y < first.height; ++y) {
      std::copy_n(images[std::size_t(i)].pixels.begin() + y * tile_row_bytes, tile_row_bytes,
                  grid.pixels.begin() + ((top + y) * width + left) * first.channels);
    }
  }
  return grid;
}

}  // namespace diffusion
