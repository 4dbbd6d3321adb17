#include <cmath>

#include "diffusion/sampler_functions.h"
#include "diffusion/sampler_history.h"

namespace diffusion::sampling {

namespace {

// (exp(-q) - 1) / q + 1, which is q/2 - q^2/6 + ...: the weight of D's slope in a step.
double slope_weight(double q) {
  return std::abs(q) < 1e-5 ? q / 2 - q * q / 6 : std::expm1(-q) / q + 1;
}

// Lu et al. 2022 (arXiv 2211.01095) and its SDE. With lambda = -log sigma, h the step in lambda and q = (1 +
// eta) h, the solution is
//   x_next = exp(-q) x + (1 - exp(-q)) D + slope_weight(q) h D' + ... + noise of sigma_next sqrt(1 - exp(-2
//     eta h)),
// where D' and D'' come from differences of earlier D. The weights are the published ones: the second order
// has (1 - exp(-q)) / 2 for slope_weight(q), unless options.heun is set, and the third has half of what D''
// has in the Taylor series, so that its error falls as steps^-2, too, though it is smaller.
void dpmpp(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise, int most,
           double eta, const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  const CarefulEnd careful =
      options.lower_order_final.value_or(true) ? CarefulEnd::short_walks : CarefulEnd::never;
  const std::size_t steps = sigmas.size() - 1;
  History d(std::size_t(most), x.size());
  std::vector<double> injected(eta > 0 ? x.size() : 0);
  const auto lambda_step = [&](std::size_t i) { return std::log(sigmas[i] / sigmas[i + 1]); };
  for (std::size_t i = 0; i < steps; ++i) {
    const double sigma_next = sigmas[i + 1], h = lambda_step(i), q = (1 + eta) * h;
    const bool euler = i + 1 == steps && options.euler_at_final.value_or(false);
    const int order = euler ? 1 : order_of_step(most, i, sigmas, careful);
    denoise(x, sigmas[i], d.push());

    const double keep = std::exp(-q);
    double w0 = 1 - keep, w1 = 0, w2 = 0;  // of D, and of the two before it
    if (order == 2) {
      w1 = -(options.heun.value_or(false) ? slope_weight(q) : (1 - keep) / 2) * h / lambda_step(i - 1);
      w0 -= w1;
    } else if (order == 3) {
      const double r0 = lambda_step(i - 1) / h, r1 = lambda_step(i - 2) / h;
      const double slope = slope_weight(q), curvature = 0.5 - slope / q;
      // h D' = a + r0 / (r0 + r1) (a - b) and (a - b) / (r0 + r1) for D'', a = (D - D1) / r0, b = (D1 - D2) /
      // r1.
      const double both = (slope * r0 + curvature) / (r0 + r1), a = (slope + both) / r0, b = both / r1;
      w0 += a;
      w1 = -a - b;
      w2 = b;
    }
    for (std::size_t k = 0; k < x.size(); ++k) {
      x[k] = keep * x[k] + w0 * d[0][k];
      if (order > 1) x[k] += w1 * d[1][k];
      if (order > 2) x[k] += w2 * d[2][k];
    }
    const double sigma_up = sigma_next * std::sqrt(-std::expm1(-2 * eta * h));
    if (sigma_up > 0) {
      noise(int(i) + 1, injected);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += sigma_up * injected[k];
    }
    if (on_step) on_step({int(i), int(steps), sigmas[i], sigma_next, d[0], x});
  }
}

}  // namespace

void dpmpp_2m(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
              const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  dpmpp(denoise, sigmas, noise, 2, 0, options, x, on_step);
}

void dpmpp_3m(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
              const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  dpmpp(denoise, sigmas, noise, 3, 0, options, x, on_step);
}

void dpmpp_2m_sde(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
                  const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  dpmpp(denoise, sigmas, noise, 2, options.eta.value_or(1), options, x, on_step);
}

void dpmpp_3m_sde(const Denoiser& denoise, std::span<const double> sigmas, const NoiseSource& noise,
                  const SamplerOptions& options, std::span<double> x, const StepCallback& on_step) {
  dpmpp(denoise, sigmas, noise, 3, options.eta.value_or(1), options, x, on_step);
}

}  // namespace diffusion::sampling
