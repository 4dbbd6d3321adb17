#include "diffusion/samplers/walks.h"

#include <algorithm>

namespace diffusion {

namespace {

double time_of(double sigma) {
  return sigma / (1 + sigma);
}

}  // namespace

SamplerCoroutine walk(FlowHeun /*heun*/, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  std::vector<double> denoised(x.size()), velocity(x.size()), euler_x(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double t = time_of(sigmas[i]), t_next = time_of(sigmas[i + 1]);
    const double to_flow = 1 / (1 + sigmas[i]), from_flow = 1 + sigmas[i + 1];  // 1 - t and 1 / (1 - t_next)
    co_yield Question{x, sigmas[i], denoised};
    for (std::size_t k = 0; k < x.size(); ++k) {
      const double x_t = to_flow * x[k];
      velocity[k] = (x_t - denoised[k]) / t;
      euler_x[k] = from_flow * (x_t + (t_next - t) * velocity[k]);
    }
    if (t_next > 0) {
      co_yield Question{euler_x, sigmas[i + 1], denoised};
      for (std::size_t k = 0; k < x.size(); ++k) {
        const double velocity_next = (euler_x[k] / from_flow - denoised[k]) / t_next;
        x[k] = from_flow * (to_flow * x[k] + (t_next - t) * (velocity[k] + velocity_next) / 2);
      }
    } else {
      std::ranges::copy(euler_x, x.begin());
    }
    state.report(i, denoised);
  }
}

}  // namespace diffusion
