#pragma once

#include <cstdint>
#include <vector>

#include "data/batches.h"
#include "diffusion/precondition.h"
#include "train/config.h"
#include "train/task.h"
#include "words/tokenizer.h"

namespace diffusion {

// What the network sees in one step and what it should answer.
struct TrainingBatch {
  std::vector<float> input, target;      // [N, C, H, W]
  std::vector<float> timesteps, labels;  // [N]; labels empty if there are no classes
  std::vector<float> tokens;             // [N, T]; empty if there are no words
  // [N, K, H, W] and [N, C, H, W], as ExampleParts has them; empty if nothing is known of examples.
  std::vector<float> known, counted;
  std::vector<double> weights, sigmas;  // [N]
};

// Makes the batches of a run: a pure function of (seed, step), computed on all cores.
class BatchMaker {
 public:
  // `null_class` is the label that stands for a dropped one. `tokenizer`, for networks that are told tokens,
  // is that of the captions; a dropped one is the empty text. All references must outlive this.
  BatchMaker(const Dataset& dataset, const TrainConfig& config, const Preconditioner& preconditioner,
             int null_class, const Tokenizer* tokenizer = nullptr);

  // The samples of `range` of batch number `step`, from 0; reuses the memory of `batch`.
  void make(std::uint32_t step, const SampleRange& range, TrainingBatch& batch);

  const BatchStream& stream() const { return stream_; }

 private:
  const TrainConfig& config_;
  const Preconditioner& preconditioner_;
  BatchStream stream_;
  std::size_t image_size_, known_size_;
  bool conditional_;
  int null_class_;
  const Tokenizer* tokenizer_;
  std::size_t text_length_;  // T; 0: no words
  std::vector<float> images_;
};

}  // namespace diffusion
