#include "diffusion/samplers/walks.h"

#include <cmath>

#include "diffusion/samplers/adams.h"
#include "diffusion/samplers/history.h"

namespace diffusion {

// With u = sigma / sigma_i - 1, x_next - x is sigma_i times the integral of epsilon(u).
SamplerCoroutine walk(Lms /*lms*/, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  History epsilon(4, x.size());
  std::vector<double> denoised(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], change = sigmas[i + 1] / sigma - 1;
    co_yield Question{x, sigma, denoised};
    estimate_noise(x, denoised, sigma, epsilon.push());
    std::vector<double> nodes, moments;
    for (std::size_t age = 0; age < epsilon.size(); ++age) {
      nodes.push_back(sigmas[i - age] / sigma - 1);
      moments.push_back(std::pow(change, double(age + 1)) / double(age + 1));
    }
    std::vector<double> weights = integral_weights(nodes, moments);
    for (double& weight : weights) weight *= sigma;
    add_weighted(x, weights, epsilon);
    state.report(i, denoised);
  }
}

}  // namespace diffusion
