#include "train/config.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace diffusion {

std::string_view to_string(RateShape shape) {
  switch (shape) {
    case RateShape::warmup_cosine:
      return "warmup_cosine";
    case RateShape::constant:
      return "constant";
    case RateShape::staircase_cosine:
      return "staircase_cosine";
  }
  return "?";
}

Preconditioner make_preconditioner(const TrainConfig& c) {
  if (c.objective == Objective::edm) return Preconditioner(c.edm);
  if (c.objective == Objective::flow)
    return Preconditioner(RectifiedFlow{c.timesteps, c.flow.logit_mean, c.flow.logit_std});
  return {c.objective, make_schedule(c.schedule, c.timesteps, c.beta_start, c.beta_end)};
}

double learning_rate_factor(double warmup, double progress) {
  if (progress < warmup) return progress / warmup;
  return 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, (progress - warmup) / (1 - warmup))));
}

double staircase_cosine(double lowest, double highest, int epochs, std::uint64_t epoch) {
  const double share = std::min(double(epoch), double(epochs)) / double(epochs);
  return lowest + (highest - lowest) * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

}  // namespace diffusion
