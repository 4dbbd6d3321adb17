#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "device/cpu/cpu_device.h"
#include "device/cpu/kernel_table.h"
#include "train/muon.h"

namespace diffusion {

std::string_view to_string(OptimizerKind kind) {
  return kind == OptimizerKind::muon ? "muon" : "adamw";
}

Optimizer::Optimizer(const ParamStore& params, const OptimizerOptions& options)
    : options_(options),
      moment1_(params.layout().block_size()),
      moment2_(params.layout().block_size()),
      ema_(params.layout().block_size()) {
  std::ranges::copy(params.values(), ema_.data());
}

void Optimizer::update(ParamStore& params, std::int64_t step, double learning_rate, double gradient_scale,
                       double ema_decay) {
  const AdamWSpec spec{.learning_rate = learning_rate,
                       .beta1 = options_.beta1,
                       .beta2 = options_.beta2,
                       .eps = options_.eps,
                       .weight_decay = options_.weight_decay,
                       .gradient_scale = gradient_scale,
                       .correction1 = 1 - std::pow(options_.beta1, double(step)),
                       .correction2 = 1 - std::pow(options_.beta2, double(step)),
                       .ema_decay = ema_decay};
  const auto update_range = [&](std::size_t begin, std::size_t end) {
    if (begin == end) return;
    cpu_kernel_table().adamw(spec, std::int64_t(end - begin), params.grads().data() + begin,
                             params.values().data() + begin, moment1_.data() + begin, moment2_.data() + begin,
                             ema_.data() + begin, thread_count());
  };
  const bool muon = options_.kind == OptimizerKind::muon;
  if (muon)
    muon_update(params, moment1_.span(), ema_.span(), learning_rate, gradient_scale, ema_decay,
                {.weight_decay = options_.weight_decay});
  std::size_t begin = 0;  // of a run of parameters for AdamW, gaps included
  for (const ParamLayout::Entry& entry : params.layout().entries()) {
    if (entry.trainable && !(muon && is_muon_matrix(entry))) continue;
    update_range(begin, entry.offset);
    begin = entry.offset + entry.size;
  }
  update_range(begin, params.layout().block_size());
  params.mark_changed();
}

double gradient_norm(ParamStore& params) {
  const std::span<const float> grads = params.grads();
  return std::sqrt(
      cpu_kernel_table().sum_of_squares(std::int64_t(grads.size()), grads.data(), thread_count()));
}

}  // namespace diffusion
