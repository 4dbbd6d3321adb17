#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/buffer.h"
#include "plan/param_store.h"

namespace diffusion {

enum class OptimizerKind {
  adamw,  // Loshchilov & Hutter 2019, "Decoupled weight decay regularization"
  muon,   // weight matrices by Muon (muon.h), everything else by AdamW
};
std::string_view to_string(OptimizerKind kind);

// Decay is decoupled: value *= 1 - learning_rate * weight_decay.
struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::adamw;
  double beta1 = 0.9, beta2 = 0.999;  // of AdamW
  double eps = 1e-8;
  double weight_decay = 0;
};

// The state of an optimizer over one flat block of parameters, and the moving average (EMA) of the values.
// AdamW updates everything in one pass over memory.
class Optimizer {
 public:
  Optimizer(const ParamStore& params, const OptimizerOptions& options);

  // One update from params.grads() * gradient_scale, and ema = decay ema + (1 - decay) value. `step` counts
  // from 1. Parameters that are not trainable stay as they are.
  void update(ParamStore& params, std::int64_t step, double learning_rate, double gradient_scale,
              double ema_decay);

  std::span<float> moment1() { return moment1_.span(); }  // or Muon's momentum
  std::span<float> moment2() { return moment2_.span(); }  // stays 0 under Muon
  std::span<float> ema() { return ema_.span(); }
  std::span<const float> ema() const { return ema_.span(); }

 private:
  OptimizerOptions options_;
  Buffer<float> moment1_, moment2_, ema_;
};

// The Euclidean norm of all gradients; not finite if any of them is not.
double gradient_norm(ParamStore& params);

}  // namespace diffusion
