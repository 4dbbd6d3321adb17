#pragma once

#include <cstdint>

#include "device/device.h"

namespace diffusion {

// Samples of the batch of a step, by their numbers in the whole batch, whoever computes which of them.
struct SampleRange {
  int first = 0, count = 0;
};

// What a network learns in a step: examples, and a loss of what the network says of them. Every example is a
// pure function of the task, the step and its number in the batch of the step.
class Task {
 public:
  virtual ~Task() = default;

  virtual int batch() const = 0;  // samples of a step, of all parts together

  // Makes the examples of `range` of step `step`, from 0. `progress` is the share of the run that is done.
  virtual void make(std::uint32_t step, const SampleRange& range, double progress) = 0;

  // The mean loss over `part`, a part of what was made. NaN and infinity pass through.
  virtual double loss(const SampleRange& part, const RunContext& context) = 0;

  // Adds the gradient of the last loss() to the gradients of the parameters. `context` is the same.
  virtual void backward(const RunContext& context) = 0;
};

}  // namespace diffusion
