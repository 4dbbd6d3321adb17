#pragma once

#include <cstdint>
#include <span>

#include "base/buffer.h"
#include "plan/param_store.h"

namespace diffusion {

// Loshchilov & Hutter 2019. Decay is decoupled: value *= 1 - learning_rate * weight_decay.
struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
};

// The state of an optimizer over one flat block of parameters, and the moving average (EMA) of the values. One pass
// over memory updates everything.
class AdamW {
 public:
  AdamW(const ParamStore& params, const AdamWOptions& options);

  // One update from params.grads() * gradient_scale, and ema = decay ema + (1 - decay) value. `step` counts from 1.
  // Parameters that are not trainable stay as they are.
  void update(ParamStore& params, std::int64_t step, double learning_rate, double gradient_scale,
              double ema_decay);

  std::span<float> moment1() { return moment1_.span(); }
  std::span<float> moment2() { return moment2_.span(); }
  std::span<float> ema() { return ema_.span(); }
  std::span<const float> ema() const { return ema_.span(); }

 private:
  AdamWOptions options_;
  Buffer<float> moment1_, moment2_, ema_;
};

// The Euclidean norm of all gradients; not finite if any of them is not.
double gradient_norm(ParamStore& params);

}  // namespace diffusion
