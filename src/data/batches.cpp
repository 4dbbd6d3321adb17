#include "data/batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {

namespace {

constexpr std::array<float, 256> make_signed_values() {
  std::array<float, 256> values{};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(i) / 127.5f - 1.0f;
  return values;
}

constexpr std::array<float, 256> kSignedValues = make_signed_values();

// The part of an image that is shown, and how.
struct Window {
  std::size_t top, left, height, width;
  bool mirror;
};

// [H, W, C] bytes to [C, window] in [-1, 1].
void write_window(const Dataset& dataset, std::span<const std::uint8_t> image, const Window& window,
                  std::span<float> out) {
  const auto row_bytes = std::size_t(dataset.width * dataset.channels);
  const auto channels = std::size_t(dataset.channels);
  std::size_t to = 0;
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t y = 0; y < window.height; ++y) {
      const std::uint8_t* row = image.data() + (window.top + y) * row_bytes + window.left * channels + c;
      if (window.mirror)
        for (std::size_t x = window.width; x-- > 0;) out[to++] = kSignedValues[row[x * channels]];
      else
        for (std::size_t x = 0; x < window.width; ++x) out[to++] = kSignedValues[row[x * channels]];
    }
}

}  // namespace

BatchStream::BatchStream(const Dataset& dataset, std::uint64_t seed, const BatchOptions& options)
    : dataset_(dataset), seed_(seed), options_(options) {
  if (dataset.count() == 0)
    throw Error(ErrorKind::usage, fmt::format("The data set {} holds no images.", dataset.name));
  if (options.size < 1)
    throw Error(ErrorKind::usage, fmt::format("The batch size is {}; it must be at least 1.", options.size));
  if (options.drop_last && options.size > dataset.count())
    throw Error(ErrorKind::usage,
                fmt::format("The batch size is {}, but {} has {} images, so that without the last, partial "
                            "batch nothing is left; take smaller batches, or do not drop it.",
                            options.size, dataset.name, dataset.count()));
}

std::size_t BatchStream::example_size() const {
  return std::size_t(dataset_.example_height()) * std::size_t(dataset_.example_width()) *
         std::size_t(dataset_.channels);
}

std::size_t BatchStream::known_size() const {
  return std::size_t(dataset_.known_channels()) * std::size_t(dataset_.example_height()) *
         std::size_t(dataset_.example_width());
}

BatchStream::Place BatchStream::place_of(std::uint32_t step, std::uint32_t i) const {
  const auto count = std::uint64_t(dataset_.count()), size = std::uint64_t(options_.size);
  const std::uint64_t in_epoch = options_.drop_last ? count / size * size : count;
  const std::uint64_t example = std::uint64_t(step) * size + i;
  return {example / in_epoch, example % in_epoch};
}

std::uint64_t BatchStream::epoch_of(std::uint32_t step) const {
  return place_of(step, 0).epoch;
}

std::int64_t BatchStream::steps_of(double epochs) const {
  const double batches =
      options_.drop_last ? dataset_.count() / options_.size : double(dataset_.count()) / options_.size;
  return std::max<std::int64_t>(1, std::llround(epochs * batches));
}

int BatchStream::dataset_index(std::uint32_t step, std::uint32_t i) const {
  const Place place = place_of(step, i);
  const RandomKey key{.seed = seed_, .stream = Stream::shuffle, .step = std::uint32_t(place.epoch)};
  return int(permute(key, place.index, std::uint64_t(dataset_.count())));
}

std::optional<int> BatchStream::example(std::uint32_t step, std::uint32_t i, std::span<float> image) const {
  return example(step, i, ExampleParts{image});
}

std::optional<int> BatchStream::example(std::uint32_t step, std::uint32_t i,
                                        const ExampleParts& parts) const {
  const std::span<float> image = parts.x;
  if (image.size() != example_size() || parts.known.size() != known_size() ||
      parts.counted.size() != (known_size() > 0 ? example_size() : 0))
    throw Error(ErrorKind::internal,
                fmt::format("BatchStream: room for {} numbers where an image of {} goes.", image.size(),
                            example_size()));
  const int index = dataset_index(step, i);
  if (dataset_.numbers) {
    dataset_.numbers->write(dataset_.stored_number(index), {seed_, Stream::hidden, i, step}, parts);
    if (dataset_.labels.empty()) return std::nullopt;
    return dataset_.labels[std::size_t(index)];
  }
  const auto key = [&](Stream stream) { return RandomKey{seed_, stream, i, step}; };
  const auto offset = [&](int margin, std::uint32_t position) {
    return margin == 0 ? 0 : uniform_below(key(Stream::crop), std::uint32_t(margin) + 1, position);
  };
  const Window window{.top = offset(dataset_.margin[0], 0),
                      .left = offset(dataset_.margin[1], 1),
                      .height = std::size_t(dataset_.example_height()),
                      .width = std::size_t(dataset_.example_width()),
                      .mirror = options_.flip && uniform(key(Stream::flip)) < 0.5};
  write_window(dataset_, dataset_.image(index), window, image);
  if (dataset_.labels.empty()) return std::nullopt;
  return dataset_.labels[std::size_t(index)];
}

std::string_view BatchStream::caption(std::uint32_t step, std::uint32_t i) const {
  return caption_of(dataset_.captions, dataset_index(step, i), {seed_, step, i, options_.caption_dropout});
}

void BatchStream::batch(std::uint32_t step, std::span<float> images, std::span<int> labels) const {
  const std::size_t size = example_size();
  const auto batch = std::size_t(options_.size);
  if (images.size() != batch * size)
    throw Error(ErrorKind::internal, fmt::format("BatchStream: room for {} numbers where {} images of {} go.",
                                                 images.size(), batch, size));
  if (!labels.empty() && (labels.size() != batch || dataset_.labels.empty()))
    throw Error(ErrorKind::internal, fmt::format("BatchStream: {} labels asked for; a batch of {} has {}.",
                                                 labels.size(), batch, dataset_.labels.empty() ? 0 : batch));
  for (std::size_t i = 0; i < batch; ++i) {
    const auto label = example(step, std::uint32_t(i), images.subspan(i * size, size));
    if (!labels.empty()) labels[i] = *label;
  }
}

}  // namespace diffusion
