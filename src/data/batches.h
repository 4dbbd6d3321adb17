#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <diffusion/dataset.h>
#include "data/number_examples.h"

namespace diffusion {

struct BatchOptions {
  int size = 64;
  bool flip = false;           // mirror each example left to right with probability 1/2
  bool drop_last = false;      // every epoch begins with a batch of its own
  double caption_dropout = 0;  // the probability that an example comes without words
};

// The endless, shuffled row of training batches. Batch number `step` is a pure function of (dataset, seed,
// step): there is no state, so a run resumes at any step, and threads may ask at once.
//
// Example i of batch `step` is number g = step * size + i of the row; its epoch is g / N, and it shows image
// permute(shuffle key of that epoch, g mod N, N). So every epoch visits every image exactly once, and batches
// run on across the ends of epochs without dropping any. With drop_last an epoch is floor(N / size) batches,
// and the few images that are left over, others in every epoch, are not shown.
class BatchStream {
 public:
  // `dataset` must outlive the stream. Throws Error(usage) if the data set is empty, the batch size less than
  // 1, or (with drop_last) larger than the data set.
  BatchStream(const Dataset& dataset, std::uint64_t seed, const BatchOptions& options);

  // Example i of a batch: [C, H, W] in [-1, 1], pixel / 127.5 - 1, with H and W of Dataset::example_height()
  // and example_width(): where the data have a margin, a window at a random place. Returns its label, if the
  // data set has any. Throws Error(internal) for another size.
  std::optional<int> example(std::uint32_t step, std::uint32_t i, std::span<float> image) const;
  // The same with what is known of it, where the data have numbers: of pixels nothing is.
  std::optional<int> example(std::uint32_t step, std::uint32_t i, const ExampleParts& parts) const;

  // All examples. images: [size, C, H, W]. labels: [size], or empty where they are not wanted. Throws
  // Error(internal) for other sizes and for labels of a data set without any.
  void batch(std::uint32_t step, std::span<float> images, std::span<int> labels) const;

  // The words of example i of a batch, as caption_of() draws them; empty where the data have none.
  std::string_view caption(std::uint32_t step, std::uint32_t i) const;

  // The numbers of one example.
  std::size_t example_size() const;
  // Those of what is known of it; 0: nothing.
  std::size_t known_size() const;

  // The epoch, from 0, that the first example of the batch belongs to.
  std::uint64_t epoch_of(std::uint32_t step) const;

  // The number of batches in so many epochs, rounded; at least 1.
  std::int64_t steps_of(double epochs) const;

  // Which image of the data set is example i of a batch.
  int dataset_index(std::uint32_t step, std::uint32_t i) const;

 private:
  struct Place {
    std::uint64_t epoch, index;  // the index is before shuffling
  };
  Place place_of(std::uint32_t step, std::uint32_t i) const;

  const Dataset& dataset_;
  std::uint64_t seed_;
  BatchOptions options_;
};

}  // namespace diffusion
