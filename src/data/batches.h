#pragma once

#include <cstdint>
#include <span>

#include "data/dataset.h"

namespace diffusion {

// The endless, shuffled row of training batches. Batch number `step` is a pure function of (dataset, seed,
// step): there is no state, so a run resumes at any step, and threads may call batch() at once.
//
// Example i of batch `step` is number g = step * batch + i of the row; its epoch is g / N, and it shows image
// permute(shuffle key of that epoch, g mod N, N). So every epoch visits every image exactly once, and batches
// run on across the ends of epochs without dropping any.
class BatchStream {
 public:
  // `dataset` must outlive the stream. With `flip`, each example is mirrored left to right with probability
  // 1/2. Throws Error(usage) if the data set is empty or `batch` is less than 1.
  BatchStream(const Dataset& dataset, std::uint64_t seed, int batch, bool flip);

  // images: [batch, C, H, W] in [-1, 1], pixel / 127.5 - 1. labels: [batch], or empty where they are not
  // wanted. Throws Error(internal) for other sizes and for labels of a data set without any.
  void batch(std::uint32_t step, std::span<float> images, std::span<int> labels) const;

  // The epoch, from 0, that the first example of the batch belongs to.
  std::uint64_t epoch_of(std::uint32_t step) const;

  // Which image of the data set is example number `example` of the row (for batch `step`: step * batch + i).
  int dataset_index(std::uint64_t example) const;

 private:
  const Dataset& dataset_;
  std::uint64_t seed_;
  int batch_;
  bool flip_;
};

}  // namespace diffusion
