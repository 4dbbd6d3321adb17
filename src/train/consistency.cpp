#include "train/consistency.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <diffusion/error.h>

namespace diffusion {

void validate(const ConsistencyTuning& tuning) {
  constexpr int kMostStages = 20;  // r / t then differs from 1 by no more than f32 can tell
  if (tuning.stages < 1 || tuning.stages > kMostStages)
    throw Error(ErrorKind::usage,
                fmt::format("stages is {}; accepted is 1 to {}", tuning.stages, kMostStages), {"stages"});
}

Json to_json(const ConsistencyTuning& tuning) {
  return Json::Object{{"stages", tuning.stages}, {"q", tuning.q},           {"k", tuning.k},
                      {"b", tuning.b},           {"p_mean", tuning.p_mean}, {"p_std", tuning.p_std},
                      {"huber", tuning.huber}};
}

double level_at(const ConsistencyTuning& tuning, const Preconditioner& preconditioner, double u) {
  return std::clamp(std::exp(tuning.p_mean + tuning.p_std * normal_quantile(u)), preconditioner.sigma_min(),
                    preconditioner.sigma_max());
}

double lower_level(const ConsistencyTuning& tuning, double t, double progress) {
  const int stage = std::min(int(progress * tuning.stages), tuning.stages - 1) + 1;
  const double n = 1 + tuning.k / (1 + std::exp(tuning.b * t));
  return t * std::max(0.0, 1 - n / std::pow(tuning.q, stage));
}

double consistency_loss(double c, std::span<const float> prediction, std::span<const float> target,
                        std::span<const double> error_scale, std::span<const double> weight,
                        std::span<float> grad) {
  const std::size_t samples = weight.size(), size = samples > 0 ? prediction.size() / samples : 0;
  if (size == 0 || prediction.size() != samples * size || target.size() != prediction.size() ||
      error_scale.size() != samples || (!grad.empty() && grad.size() != prediction.size()))
    throw Error(ErrorKind::usage,
                fmt::format("consistency loss: {} predicted elements do not fit {} target and {} gradient "
                            "elements, {} scales and {} weights.",
                            prediction.size(), target.size(), grad.size(), error_scale.size(), samples));
  double total = 0;
  for (std::size_t k = 0; k < samples; ++k) {
    const auto error = [&](std::size_t i) {
      return error_scale[k] * (double(prediction[i]) - double(target[i]));
    };
    double sum = 0;
    for (std::size_t i = k * size; i < (k + 1) * size; ++i) sum += error(i) * error(i);
    const double root = std::sqrt(sum / double(size) + c * c);
    total += weight[k] * (root - c);
    if (grad.empty()) continue;
    const double factor =
        root == 0 ? 0 : weight[k] * error_scale[k] / (root * double(size) * double(samples));
    for (std::size_t i = k * size; i < (k + 1) * size; ++i) grad[i] = float(factor * error(i));
  }
  return total / double(samples);
}

}  // namespace diffusion
