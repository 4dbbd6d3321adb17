#include "diffusion/loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>

#include <diffusion/error.h>

namespace diffusion {

namespace {

struct ElementLoss {
  double value, slope;
};

ElementLoss element_loss(LossKind kind, double d) {
  if (kind == LossKind::mse) return {d * d, 2 * d};
  if (kind == LossKind::huber && std::abs(d) < 1) return {0.5 * d * d, d};
  if (d == 0) return {0, 0};
  return {std::abs(d) - (kind == LossKind::huber ? 0.5 : 0.0), d / std::abs(d)};  // the sign, or NaN
}

}  // namespace

std::string_view to_string(LossKind kind) {
  constexpr std::array<std::string_view, 3> kNames{"mse", "huber", "l1"};
  return kNames.at(std::size_t(kind));
}

double loss_and_grad(LossKind kind, std::span<const float> prediction, std::span<const float> target,
                     std::span<const double> per_sample_weight, std::span<float> grad,
                     std::span<const float> counted) {
  const std::size_t elements = prediction.size(), samples = per_sample_weight.size();
  if (elements == 0 || samples == 0 || elements % samples != 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("loss: {} predicted elements are not {} samples of equal size with a weight each.",
                    elements, samples));
  if (target.size() != elements || (!grad.empty() && grad.size() != elements) ||
      (!counted.empty() && counted.size() != elements))
    throw Error(ErrorKind::usage,
                fmt::format("loss: {} predicted elements do not fit {} target and {} gradient elements.",
                            elements, target.size(), grad.size()));

  const std::size_t sample_size = elements / samples;
  const auto counts = [&](std::size_t i) { return counted.empty() || counted[i] > 0; };
  double total = 0, number = double(elements);
  if (!counted.empty()) number = std::max(1.0, std::accumulate(counted.begin(), counted.end(), 0.0));
  for (std::size_t sample = 0; sample < samples; ++sample) {
    const double weight = per_sample_weight[sample];
    double sum = 0;
    for (std::size_t i = sample * sample_size; i < (sample + 1) * sample_size; ++i) {
      if (!counts(i)) {
        if (!grad.empty()) grad[i] = 0;
        continue;
      }
      const ElementLoss loss = element_loss(kind, double(prediction[i]) - double(target[i]));
      sum += loss.value;
      if (!grad.empty()) grad[i] = float(weight * loss.slope / number);
    }
    total += weight * sum;
  }
  return total / number;
}

}  // namespace diffusion
