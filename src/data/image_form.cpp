#include "data/image_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include <diffusion/error.h>
#include "pictures/resize.h"

namespace diffusion {

Image fit_image(const Image& image, const ImageForm& form) {
  const Image colored = to_channels(image, form.channels, form.background);
  // The side that decides gets its size exactly, the other one is rounded down as torchvision does.
  const std::int64_t height = form.height, width = form.width;
  const bool rows_decide = height * image.width >= width * image.height;
  const std::int64_t scaled_height =
      rows_decide ? height : std::max(height, width * image.height / image.width);
  const std::int64_t scaled_width =
      rows_decide ? std::max(width, height * image.width / image.height) : width;
  if (scaled_height > kMaxPixels / scaled_width)
    throw Error(ErrorKind::usage,
                fmt::format("An image of {} x {} pixels is too long to be scaled to {} x {}.", image.width,
                            image.height, form.width, form.height));
  return center_crop(resize(colored, int(scaled_width), int(scaled_height)), form.height, form.width);
}

void validate(const FormOptions& options) {
  if (options.size)
    for (const int side : *options.size)
      if (side < 1 || side > kMaxFormSide)
        throw Error(ErrorKind::usage,
                    fmt::format("size is {}x{}; accepted are sides of 1 to {} pixels", (*options.size)[0],
                                (*options.size)[1], kMaxFormSide),
                    {"size"});
  if (options.channels && *options.channels != 1 && *options.channels != 3 && *options.channels != 4)
    throw Error(ErrorKind::usage,
                fmt::format("channels is {}; accepted are 1 (gray), 3 (RGB) and 4 (RGB and alpha)",
                            *options.channels),
                {"channels"});
}

std::array<int, 2> crop_margin(std::array<int, 2> size) {
  return {std::max(1, size[0] / 8), std::max(1, size[1] / 8)};
}

Dataset reform(Dataset dataset, const FormOptions& options) {
  validate(options);
  const std::array<int, 2> size = options.size.value_or(std::array{dataset.height, dataset.width});
  const std::array<int, 2> margin = options.random_crop ? crop_margin(size) : std::array{0, 0};
  const ImageForm form{size[0] + margin[0], size[1] + margin[1], options.channels.value_or(dataset.channels),
                       options.background};
  if (form.height == dataset.height && form.width == dataset.width && form.channels == dataset.channels)
    return dataset;

  const auto image_bytes = std::size_t(form.height) * std::size_t(form.width) * std::size_t(form.channels);
  std::vector<std::uint8_t> pixels(std::size_t(dataset.count()) * image_bytes);
  std::exception_ptr error;  // none may leave the parallel loop
#pragma omp parallel for
  for (int i = 0; i < dataset.count(); ++i) try {
      const auto bytes = dataset.image(i);
      const Image image{dataset.width, dataset.height, dataset.channels, {bytes.begin(), bytes.end()}};
      std::ranges::copy(fit_image(image, form).pixels,
                        pixels.begin() + std::ptrdiff_t(std::size_t(i) * image_bytes));
    } catch (...) {
#pragma omp critical
      error = std::current_exception();
    }
  if (error) std::rethrow_exception(error);
  dataset.height = form.height;
  dataset.width = form.width;
  dataset.channels = form.channels;
  dataset.margin = margin;
  dataset.pixels = std::move(pixels);
  dataset.first = 0;
  dataset.step = 1;
  dataset.chosen.clear();
  dataset.content_hash.reset();
  return dataset;
}

}  // namespace diffusion
