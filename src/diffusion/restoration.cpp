#include "diffusion/restoration.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <diffusion/sampling.h>

namespace diffusion {

namespace {

// Coordinates of the state after a step: what they are drawn around, and how widely.
struct Drawn {
  double mean, std;
};

// One coordinate in a step from sigma to sigma_next: of the state, of D, and of A^+ y, which has noise of
// standard deviation y_std; `seen` tells whether it is measured at all.
struct Coordinate {
  double x, denoised, y, y_std;
  bool seen;
};

// Kawar et al. 2022, eq. 7 and 8, with eta_b = 1.
Drawn ddrm_step(const Coordinate& c, double sigma, double sigma_next, double eta) {
  const double kept = std::sqrt(1 - eta * eta) * sigma_next;
  if (!c.seen) return {c.denoised + kept * (c.x - c.denoised) / sigma, eta * sigma_next};
  if (sigma_next < c.y_std) return {c.denoised + kept * (c.y - c.denoised) / c.y_std, eta * sigma_next};
  return {c.y, std::sqrt(sigma_next * sigma_next - c.y_std * c.y_std)};
}

// Wang et al. 2023, algorithm 1. With noise, DDNM+ (their appendix I) comes to the same as DDRM: as that
// noise is the same in every step, it must not be kept from step to step.
Drawn ddnm_step(const Coordinate& c, double sigma, double sigma_next, double eta) {
  if (c.seen && c.y_std > 0) return ddrm_step(c, sigma, sigma_next, eta);
  const double kept = std::sqrt(1 - eta * eta) * sigma_next * (c.x - c.denoised) / sigma;
  return {(c.seen ? c.y : c.denoised) + kept, eta * sigma_next};
}

SamplerCoroutine walk_spectral(RestoreMethod method, std::shared_ptr<const Measured> measured, double eta,
                               SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::size_t size = measured->image_size();
  const std::span<const double> singular = measured->a.singular();
  std::vector<double> denoised(state.x.size()), noise(state.x.size()), c_x(size), c_denoised(size);
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], sigma_next = sigmas[i + 1];
    co_yield Question{state.x, sigma, denoised};
    if (sigma_next > 0) state.noise(int(i) + 1, noise);
    for (std::size_t first = 0; first < state.x.size(); first += size) {
      const auto x = std::span(state.x).subspan(first, size);
      measured->a.to_basis(x, c_x);
      measured->a.to_basis(std::span(denoised).subspan(first, size), c_denoised);
      for (std::size_t k = 0; k < size; ++k) {
        const bool seen = singular[k] > 0;
        const Coordinate c{c_x[k], c_denoised[k], measured->inverse[first + k],
                           seen ? measured->sigma / singular[k] : 0, seen};
        const Drawn drawn = method == RestoreMethod::ddrm ? ddrm_step(c, sigma, sigma_next, eta)
                                                          : ddnm_step(c, sigma, sigma_next, eta);
        c_x[k] = drawn.mean + drawn.std * (sigma_next > 0 ? noise[first + k] : 0);
      }
      measured->a.from_basis(c_x, x);
    }
    state.report(i, denoised);
  }
}

// V diag(weight(s^2)) V^T (A^+ y - D) of all images, the probe of what follows; the norm of y - A D of each.
template <class Weight>
std::vector<double> probe_of(const Measured& m, std::span<const double> denoised, const Weight& weight,
                             std::vector<double>& probe) {
  const std::size_t size = m.image_size();
  const std::span<const double> singular = m.a.singular();
  std::vector<double> c(size), norms;
  probe.resize(denoised.size());
  for (std::size_t first = 0; first < denoised.size(); first += size) {
    m.a.to_basis(denoised.subspan(first, size), c);
    double sum = 0;
    for (std::size_t k = 0; k < size; ++k) {
      const double s2 = singular[k] * singular[k], missing = m.inverse[first + k] - c[k];
      sum += s2 * missing * missing;
      c[k] = s2 > 0 ? weight(s2) * missing : 0;
    }
    norms.push_back(std::sqrt(sum));
    m.a.from_basis(c, std::span(probe).subspan(first, size));
  }
  return norms;
}

}  // namespace

Measured measured(const LinearOperator& a, std::span<const double> measurements, double sigma, int first,
                  int count) {
  const std::size_t size = a.input_size(), numbers = a.output_size(), given = measurements.size() / numbers;
  Measured m{a, std::vector<double>(std::size_t(count) * size), sigma};
  std::vector<double> x(size);
  for (std::size_t k = 0; k < std::size_t(count); ++k) {
    const std::size_t from = (std::size_t(first) + k) % given * numbers;
    a.pseudo_inverse(measurements.subspan(from, numbers), x);
    a.to_basis(x, std::span(m.inverse).subspan(k * size, size));
  }
  return m;
}

OwnSampler spectral_sampler(RestoreMethod method, std::shared_ptr<const Measured> measured, double eta) {
  return {.name = std::string(to_string(method)),
          .walk = [=](SamplerState& state) { return walk_spectral(method, measured, eta, state); },
          .known = {.stochastic = true}};
}

Denoiser pigdm_denoiser(Denoiser denoise, DenoiserProduct product, std::shared_ptr<const Measured> measured) {
  return [=, probe = std::vector<double>(), change = std::vector<double>()](
             std::span<const double> x, double sigma, std::span<double> denoised) mutable {
    denoise(x, sigma, denoised);
    const double r2 = sigma * sigma / (1 + sigma * sigma), y2 = measured->sigma * measured->sigma;
    probe_of(
        *measured, denoised, [&](double s2) { return s2 / (r2 * s2 + y2); }, probe);
    change.resize(x.size());
    product(x, sigma, probe, change);
    for (std::size_t k = 0; k < x.size(); ++k) denoised[k] += sigma * sigma * change[k];
  };
}

Denoiser dps_denoiser(Denoiser denoise, DenoiserProduct product, std::shared_ptr<const Measured> measured,
                      std::vector<double> levels, double step) {
  return [=, probe = std::vector<double>(), change = std::vector<double>()](
             std::span<const double> x, double sigma, std::span<double> denoised) mutable {
    denoise(x, sigma, denoised);
    const auto next = std::ranges::find_if(levels, [&](double level) { return level < sigma; });
    const double sigma_next = next == levels.end() ? 0 : *next, ratio = sigma_next / sigma;
    const double scale = step * std::hypot(1, sigma) * std::hypot(1, sigma_next) / (1 - ratio * ratio);
    const std::vector<double> norms = probe_of(
        *measured, denoised, [](double s2) { return s2; }, probe);
    change.resize(x.size());
    product(x, sigma, probe, change);
    for (std::size_t k = 0; k < x.size(); ++k)
      if (const double norm = norms[k / measured->image_size()]; norm > 0)
        denoised[k] += scale / norm * change[k];
  };
}

}  // namespace diffusion
