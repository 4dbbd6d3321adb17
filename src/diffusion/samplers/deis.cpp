#include "diffusion/samplers/walks.h"

#include <cmath>

#include "diffusion/samplers/adams.h"
#include "diffusion/samplers/history.h"

namespace diffusion {

// With u = log(sigma / sigma_i), x_next - x is sigma_i times the integral of epsilon(u) e^u.
SamplerCoroutine walk(Deis deis, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  const CarefulEnd careful = deis.lower_order_final ? CarefulEnd::short_walks : CarefulEnd::never;
  History epsilon(std::size_t(deis.values), x.size());
  std::vector<double> denoised(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1], ratio = sigma_next / sigma;
    const int order = order_of_step(deis.values, i, sigmas, careful);
    co_yield Question{x, sigma, denoised};
    estimate_noise(x, denoised, sigma, epsilon.push());
    std::vector<double> nodes, moments{ratio - 1};
    for (int age = 0; age < order; ++age) nodes.push_back(std::log(sigmas[i - std::size_t(age)] / sigma));
    for (int k = 1; k < order; ++k)
      moments.push_back(ratio * std::pow(std::log(ratio), k) - k * moments.back());  // by parts
    std::vector<double> weights = integral_weights(nodes, moments);
    for (double& weight : weights) weight *= sigma;
    add_weighted(x, weights, epsilon);
    state.report(i, denoised);
  }
}

}  // namespace diffusion
