#pragma once

#include <cstdint>
#include <vector>

#include "data/batches.h"
#include "diffusion/precondition.h"
#include "train/caption_states.h"
#include "train/caption_tokens.h"
#include "train/config.h"
#include "train/task.h"

namespace diffusion {

// What the network sees in one step and what it should answer.
struct TrainingBatch {
  std::vector<float> input, target;      // [N, C, H, W]
  std::vector<float> timesteps, labels;  // [N]; labels empty if there are no classes
  std::vector<float> tokens;         // [N, T]; empty if there are no words, or hidden states in their place
  std::vector<float> hidden_states;  // [N, D, T], where the text encoder does not learn
  // [N, K, H, W] and [N, C, H, W], as ExampleParts has them; empty if nothing is known of examples.
  std::vector<float> known, counted;
  std::vector<double> weights, sigmas;  // [N]
};

// The captions as a network of words is told them: as tokens, or as what a text encoder that does not learn
// makes of these. Both are of the captions of the data set and must outlive who has them; nullptr: not
// needed.
struct CaptionInputs {
  const CaptionTokens* tokens = nullptr;
  const CaptionStates* states = nullptr;
};

// Makes the batches of a run: a pure function of (seed, step), computed on all cores.
class BatchMaker {
 public:
  // `null_class` is the label that stands for a dropped one; a dropped caption is the empty text. All
  // references must outlive this.
  BatchMaker(const Dataset& dataset, const TrainConfig& config, const Preconditioner& preconditioner,
             int null_class, const CaptionInputs& captions = {});

  // The samples of `range` of batch number `step`, from 0; reuses the memory of `batch`.
  void make(std::uint32_t step, const SampleRange& range, TrainingBatch& batch);

  const BatchStream& stream() const { return stream_; }

 private:
  void tell_words(std::uint32_t step, std::uint32_t number, std::size_t i, TrainingBatch& batch) const;

  const TrainConfig& config_;
  const Preconditioner& preconditioner_;
  BatchStream stream_;
  std::size_t image_size_, known_size_;
  bool conditional_;
  int null_class_;
  CaptionInputs captions_;
  std::size_t tokens_size_, states_size_;  // of an example; 0: there are none
  std::vector<float> images_;
};

}  // namespace diffusion
