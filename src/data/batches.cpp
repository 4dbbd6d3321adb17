#include "data/batches.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/rng.h"

namespace diffusion {

namespace {

// [H, W, C] bytes to [C, H, W] in [-1, 1], mirrored left to right if asked.
void write_image(const Dataset& dataset, std::span<const std::uint8_t> image, bool mirror,
                 std::span<float> out) {
  const auto height = std::size_t(dataset.height), width = std::size_t(dataset.width);
  const auto channels = std::size_t(dataset.channels);
  std::size_t to = 0;
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t y = 0; y < height; ++y)
      for (std::size_t x = 0; x < width; ++x) {
        const std::size_t from_x = mirror ? width - 1 - x : x;
        out[to++] = float(image[(y * width + from_x) * channels + c]) / 127.5f - 1.0f;
      }
}

}  // namespace

BatchStream::BatchStream(const Dataset& dataset, std::uint64_t seed, int batch, bool flip)
    : dataset_(dataset), seed_(seed), batch_(batch), flip_(flip) {
  if (dataset.count() == 0)
    throw Error(ErrorKind::usage, fmt::format("The data set {} holds no images.", dataset.name));
  if (batch < 1)
    throw Error(ErrorKind::usage, fmt::format("The batch size is {}; it must be at least 1.", batch));
}

std::uint64_t BatchStream::epoch_of(std::uint32_t step) const {
  return std::uint64_t(step) * std::uint64_t(batch_) / std::uint64_t(dataset_.count());
}

int BatchStream::dataset_index(std::uint64_t example) const {
  const auto count = std::uint64_t(dataset_.count());
  const RandomKey key{.seed = seed_, .stream = Stream::shuffle, .step = std::uint32_t(example / count)};
  return int(permute(key, example % count, count));
}

void BatchStream::batch(std::uint32_t step, std::span<float> images, std::span<int> labels) const {
  const std::size_t size = dataset_.image(0).size();
  const auto batch = std::size_t(batch_);
  if (images.size() != batch * size)
    throw Error(ErrorKind::internal, fmt::format("BatchStream: room for {} numbers where {} images of {} go.",
                                                 images.size(), batch, size));
  if (!labels.empty() && (labels.size() != batch || dataset_.labels.empty()))
    throw Error(ErrorKind::internal, fmt::format("BatchStream: {} labels asked for; a batch of {} has {}.",
                                                 labels.size(), batch, dataset_.labels.empty() ? 0 : batch));

  for (std::size_t i = 0; i < batch; ++i) {
    const int index = dataset_index(std::uint64_t(step) * batch + i);
    const RandomKey flip_key{.seed = seed_, .stream = Stream::flip, .sample = std::uint32_t(i), .step = step};
    const bool mirror = flip_ && uniform(flip_key) < 0.5;
    write_image(dataset_, dataset_.image(index), mirror, images.subspan(i * size, size));
    if (!labels.empty()) labels[i] = dataset_.labels[std::size_t(index)];
  }
}

}  // namespace diffusion
