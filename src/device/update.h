#pragma once

// How a device changes parameters in training: everything is a flat block of f32 numbers, [1, n, 1, 1], in
// the layout of the parameters.

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/tensor.h"

namespace diffusion {

// What an update kernel is compiled for. Numbers that are in none of the parts stay as they are.
struct UpdateSpec {
  // Numbers [begin, end) of the block, by AdamW (Loshchilov & Hutter 2019).
  struct Range {
    std::size_t begin, end;
  };
  // A matrix, row major, from number `begin` on, by Muon (train/muon.h).
  struct Matrix {
    std::size_t begin, rows, columns;
  };
  std::vector<Range> adamw;
  std::vector<Matrix> muon;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // of AdamW
  double momentum = 0.95;                         // of Muon
  double weight_decay = 0;                        // of both, decoupled
};

// The numbers of one update. They lie on the device and are uploaded for each one, as a RunContext is.
struct UpdateContext {
  double learning_rate = 0;
  double gradient_scale = 1;                // applied to every gradient first (clipping, averaging)
  double correction1 = 1, correction2 = 1;  // 1 - beta^step, for AdamW
  double ema_decay = 0;                     // ema = ema_decay ema + (1 - ema_decay) value
};

struct UpdateArgs {
  Tensor gradients;
  Tensor values, moment1, moment2, ema;  // changed; Muon's momentum is moment1, and its moment2 is not read
  const UpdateContext* context = nullptr;
};

// The updates of one block of parameters, ready to run.
class UpdateKernel {
 public:
  virtual ~UpdateKernel() = default;
  // Of all numbers of the block, to `result` on the device; the same bits for any number of threads.
  virtual void sum_of_squares(const Tensor& gradients, double* result) = 0;
  virtual void update(const UpdateArgs& args) = 0;
};

}  // namespace diffusion
