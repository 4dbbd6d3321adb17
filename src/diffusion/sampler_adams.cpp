// Samplers that extrapolate the noise estimates (x - D) / sigma of earlier steps: the Adams-Bashforth family.

#include <algorithm>
#include <array>
#include <cmath>

#include "diffusion/sampler_functions.h"
#include "diffusion/sampler_history.h"

namespace diffusion::sampling {

namespace {

// Writes (x - D) / sigma, the network's estimate of the noise.
void estimate_noise(const Denoiser& denoise, std::span<const double> x, double sigma,
                    std::span<double> denoised, std::span<double> epsilon) {
  denoise(x, sigma, denoised);
  for (std::size_t k = 0; k < x.size(); ++k) epsilon[k] = (x[k] - denoised[k]) / sigma;
}

void add(std::span<double> x, std::span<const double> weights, const History& epsilon) {
  for (std::size_t age = 0; age < weights.size(); ++age)
    for (std::size_t k = 0; k < x.size(); ++k) x[k] += weights[age] * epsilon[age][k];
}

// Weights of the values at `nodes` in the integral of their interpolation polynomial; moments[k] is the
// integral of u^k.
std::vector<double> integral_weights(std::span<const double> nodes, std::span<const double> moments) {
  std::vector<double> weights(nodes.size());
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    std::vector<double> basis{1};  // coefficients of Lagrange's polynomial, 1 at node j and 0 at the others
    for (std::size_t other = 0; other < nodes.size(); ++other) {
      if (other == j) continue;
      basis.push_back(0);
      for (std::size_t k = basis.size(); k-- > 0;)
        basis[k] = ((k > 0 ? basis[k - 1] : 0) - nodes[other] * basis[k]) / (nodes[j] - nodes[other]);
    }
    for (std::size_t k = 0; k < basis.size(); ++k) weights[j] += basis[k] * moments[k];
  }
  return weights;
}

// Zhang & Chen 2022 (arXiv 2204.13902), over log sigma: with u = log(sigma / sigma_i), x_next - x is sigma_i
// times the integral of epsilon(u) e^u.
void deis(const Denoiser& denoise, std::span<const double> sigmas, int most, const SamplerOptions& options,
          std::span<double> x, const StepCallback& on_step) {
  const CarefulEnd careful =
      options.lower_order_final.value_or(true) ? CarefulEnd::short_walks : CarefulEnd::never;
  const std::size_t steps = sigmas.size() - 1;
  History epsilon(std::size_t(most), x.size());
  std::vector<double> denoised(x.size());
  for (std::size_t i = 0; i < steps; ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1], ratio = sigma_next / sigma;
    const int order = order_of_step(most, i, sigmas, careful);
    estimate_noise(denoise, x, sigma, denoised, epsilon.push());
    std::vector<double> nodes, moments{ratio - 1};
    for (int age = 0; age < order; ++age) nodes.push_back(std::log(sigmas[i - std::size_t(age)] / sigma));
    for (int k = 1; k < order; ++k)
      moments.push_back(ratio * std::pow(std::log(ratio), k) - k * moments.back());  // by parts
    std::vector<double> weights = integral_weights(nodes, moments);
    for (double& weight : weights) weight *= sigma;
    add(x, weights, epsilon);
    if (on_step) on_step({int(i), int(steps), sigma, sigma_next, denoised, x});
  }
}

// Adams-Bashforth weights of 1 to 4 values for equal steps, newest first.
std::span<const double> equal_step_weights(std::size_t values) {
  static constexpr std::array<std::array<double, 4>, 4> kWeights{
      {{1},
       {3.0 / 2, -1.0 / 2},
       {23.0 / 12, -16.0 / 12, 5.0 / 12},
       {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24}}};
  return std::span(kWeights.at(values - 1)).first(values);
}

void step_as_if_equal(std::span<double> x, double step, const History& epsilon) {
  std::vector<double> weights;
  for (const double weight : equal_step_weights(epsilon.size())) weights.push_back(step * weight);
  add(x, weights, epsilon);
}

}  // namespace

void deis_2(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource&,
            const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  deis(denoise, sigmas, 2, options, x, on_step);
}

void deis_3(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource&,
            const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  deis(denoise, sigmas, 3, options, x, on_step);
}

// Over sigma itself, with u = sigma / sigma_i - 1.
void lms(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
         std::span<double> x, const StepCallback& on_step) {
  const std::size_t steps = sigmas.size() - 1;
  History epsilon(4, x.size());
  std::vector<double> denoised(x.size());
  for (std::size_t i = 0; i < steps; ++i) {
    const double sigma = sigmas[i], change = sigmas[i + 1] / sigma - 1;
    estimate_noise(denoise, x, sigma, denoised, epsilon.push());
    std::vector<double> nodes, moments;
    for (std::size_t age = 0; age < epsilon.size(); ++age) {
      nodes.push_back(sigmas[i - age] / sigma - 1);
      moments.push_back(std::pow(change, double(age + 1)) / double(age + 1));
    }
    std::vector<double> weights = integral_weights(nodes, moments);
    for (double& weight : weights) weight *= sigma;
    add(x, weights, epsilon);
    if (on_step) on_step({int(i), int(steps), sigma, sigmas[i + 1], denoised, x});
  }
}

void ipndm(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
           std::span<double> x, const StepCallback& on_step) {
  History epsilon(4, x.size());
  std::vector<double> denoised(x.size());
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    estimate_noise(denoise, x, sigmas[i], denoised, epsilon.push());
    step_as_if_equal(x, sigmas[i + 1] - sigmas[i], epsilon);
    if (on_step) on_step({int(i), int(sigmas.size()) - 1, sigmas[i], sigmas[i + 1], denoised, x});
  }
}

// The classical method of fourth order over sigma. `first` is the noise estimate at x.
void runge_kutta_step(const Denoiser& denoise, double sigma, double middle, double sigma_next,
                      std::span<const double> first, std::span<double> x, std::span<double> denoised) {
  std::vector<double> at(x.size()), epsilon(first.begin(), first.end()), sum = epsilon;
  for (const auto& [level, weight] : {std::pair{middle, 2.0}, {middle, 2.0}, {sigma_next, 1.0}}) {
    for (std::size_t k = 0; k < x.size(); ++k) at[k] = x[k] + (level - sigma) * epsilon[k];
    estimate_noise(denoise, at, level, denoised, epsilon);
    for (std::size_t k = 0; k < x.size(); ++k) sum[k] += weight * epsilon[k];
  }
  for (std::size_t k = 0; k < x.size(); ++k) x[k] += (sigma_next - sigma) / 6 * sum[k];
}

// As ipndm, but the first step is Heun's and so takes two evaluations; what the second one says is not
// remembered. With middles the first steps are Runge-Kutta's instead.
void pndm(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource&,
          const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  const std::size_t steps = sigmas.size() - 1;
  History epsilon(4, x.size());
  std::vector<double> denoised(x.size()), predicted(x.size()), second(x.size());
  for (std::size_t i = 0; i < steps; ++i) {
    const double sigma = sigmas[i], step = sigmas[i + 1] - sigma;
    estimate_noise(denoise, x, sigma, denoised, epsilon.push());
    if (i < options.middles.size()) {
      runge_kutta_step(denoise, sigma, options.middles[i], sigmas[i + 1], epsilon[0], x, denoised);
    } else if (i == 0 && steps > 1) {
      for (std::size_t k = 0; k < x.size(); ++k) predicted[k] = x[k] + step * epsilon[0][k];
      estimate_noise(denoise, predicted, sigmas[1], denoised, second);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += step * (epsilon[0][k] + second[k]) / 2;
    } else {
      step_as_if_equal(x, step, epsilon);
    }
    if (on_step) on_step({int(i), int(steps), sigma, sigmas[i + 1], denoised, x});
  }
}

}  // namespace diffusion::sampling
