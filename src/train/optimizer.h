#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "device/device.h"
#include "plan/learned_params.h"
#include "train/param_shares.h"

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

// The state of an optimizer over one flat block of parameters, and the moving average (EMA) of the values, on
// the device that learns them. AdamW updates everything in one pass over memory.
class Optimizer {
 public:
  // Updates the parameters that lie in `owned`, whole parameters; what is outside of it stays 0 in the
  // moments and the average, and takes no memory there. The average starts as the values. `params` must
  // outlive this.
  Optimizer(LearnedParams& params, const Device& device, const OptimizerOptions& options,
            const ParamRange& owned);
  Optimizer(LearnedParams& params, const Device& device, const OptimizerOptions& options)
      : Optimizer(params, device, options, {0, params.layout().block_size()}) {}

  // The sum of the squares of these gradients; not finite if any of them is not. Waits.
  double sum_of_squares(const ParamRange& range);
  // The Euclidean norm of all gradients.
  double gradient_norm();

  // One update from the gradients times gradient_scale, and ema = decay ema + (1 - decay) value. `step`
  // counts from 1. Parameters that are not trainable stay as they are.
  void update(std::int64_t step, double learning_rate, double gradient_scale, double ema_decay);

  // Flat blocks of the device in the layout of the parameters.
  const Tensor& moment1() const { return moment1_; }  // or Muon's momentum
  const Tensor& moment2() const { return moment2_; }  // stays 0 under Muon
  const Tensor& ema() const { return ema_; }
  Queue& queue() const { return params_->queue(); }

 private:
  struct Numbers {  // on the device
    UpdateContext context;
    double sum_of_squares;
  };

  LearnedParams* params_;
  OptimizerOptions options_;
  std::unique_ptr<UpdateKernel> kernel_;
  std::unique_ptr<DeviceMemory> moment1_memory_, moment2_memory_, ema_memory_, numbers_;
  Tensor moment1_, moment2_, ema_;
};

}  // namespace diffusion
