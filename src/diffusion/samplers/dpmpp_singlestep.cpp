#include "diffusion/samplers/walks.h"

#include <array>
#include <cmath>
#include <vector>

#include "diffusion/samplers/exponential.h"

namespace diffusion {

namespace {

// Of the values of D in a group, its first one first.
using Weights = std::array<double, 3>;

// For a step over h in lambda = -log sigma from the start of a group to the end of its step number `order`.
// r are the places of the second and the third value in that step, 0 at its start and 1 at its end.
Weights step_weights(int order, double q, const std::array<double, 2>& r, bool heun) {
  const double slope = slope_weight(q);
  Weights w{-std::expm1(-q)};
  if (order == 2) {
    w[1] = (heun ? slope : w[0] / 2) / r[0];
  } else if (order == 3 && !heun) {
    w[2] = slope / r[1];
  } else if (order == 3) {
    // h D' = (r1 a - r0 b) / (r1 - r0) and 2 (b - a) / (r1 - r0) for h^2 D'', where a and b are the
    // differences of the second and the third value to the first, divided by r0 and r1.
    const double curvature = 2 * (0.5 - slope / q);
    w[1] = (slope * r[1] - curvature) / (r[1] - r[0]) / r[0];
    w[2] = (curvature - slope * r[0]) / (r[1] - r[0]) / r[1];
  }
  w[0] -= w[1] + w[2];
  return w;
}

}  // namespace

SamplerCoroutine walk(DpmppSinglestep dpmpp, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  const auto values = std::size_t(dpmpp.values);
  const std::size_t steps = sigmas.size() - 1;
  const bool ends_low = sigmas.back() == 0 || (dpmpp.lower_order_final && steps % values == 0);
  std::vector<double> start(x.size()), injected(dpmpp.eta > 0 ? x.size() : 0);
  std::array<std::vector<double>, 3> d;
  std::size_t first = 0;  // step of the group
  for (std::size_t i = 0; i < steps; ++i) {
    const int order = i + 1 == steps && ends_low ? 1 : int(i % values) + 1;
    if (order == 1) {
      first = i;
      start.assign(x.begin(), x.end());
    }
    std::vector<double>& newest = d[i - first];
    newest.resize(x.size());
    co_yield Question{x, sigmas[i], newest};

    const double h = std::log(sigmas[first] / sigmas[i + 1]), q = (1 + dpmpp.eta) * h, keep = std::exp(-q);
    std::array<double, 2> r{};
    for (int k = 1; k < order; ++k)
      r[std::size_t(k) - 1] = std::log(sigmas[first] / sigmas[first + std::size_t(k)]) / h;
    const Weights w = step_weights(order, q, r, dpmpp.heun);
    for (std::size_t k = 0; k < x.size(); ++k) {
      x[k] = keep * start[k];
      for (std::size_t value = 0; value < std::size_t(order); ++value) x[k] += w[value] * d[value][k];
    }
    const double sigma_up = sigmas[i + 1] * std::sqrt(-std::expm1(-2 * dpmpp.eta * h));
    if (sigma_up > 0) {
      state.noise(int(i) + 1, injected);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += sigma_up * injected[k];
    }
    state.report(i, newest);
  }
}

}  // namespace diffusion
