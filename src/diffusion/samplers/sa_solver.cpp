#include "diffusion/samplers/walks.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "diffusion/samplers/adams.h"
#include "diffusion/samplers/exponential.h"
#include "diffusion/samplers/history.h"

namespace diffusion {

namespace {

// A step from sigma to sigma_next with noise as tau says. With lambda = -log sigma, h the step in lambda and
// a = 1 + tau^2,
//   x_next = exp(-a h) x + sum of weights D + sigma_next sqrt(1 - exp(-2 tau^2 h)) noise,
// the weights being those of the polynomial through the values of D.
struct AdamsStep {
  double tau, sigma, sigma_next;

  double h() const { return std::log(sigma / sigma_next); }
  double a() const { return 1 + tau * tau; }
  double keep() const { return std::exp(-a() * h()); }
  double sigma_up() const { return sigma_next * std::sqrt(-std::expm1(-2 * tau * tau * h())); }

  // levels: those of the values of D. With two the published weight of their difference is that of B(h) = h
  // in UniPC: a h^2 / 2 for the slope.
  std::vector<double> weights(std::span<const double> levels) const {
    if (levels.size() == 1) return {1 - keep()};
    std::vector<double> nodes, moments;
    for (const double level : levels) nodes.push_back(std::log(sigma / level));
    for (std::size_t power = 0; power < levels.size(); ++power)
      moments.push_back(monomial_weight(a(), h(), int(power)));
    if (levels.size() == 2) moments[1] = a() * h() * h() / 2;
    return integral_weights(nodes, moments);
  }

  void apply(std::span<const double> from, std::span<const double> levels, const History& d,
             std::span<const double> noise, std::span<double> x_next) const {
    const double up = sigma_up();
    for (std::size_t k = 0; k < x_next.size(); ++k)
      x_next[k] = keep() * from[k] + (up > 0 ? up * noise[k] : 0);
    add_weighted(x_next, weights(levels), d);
  }
};

}  // namespace

SamplerCoroutine walk(SaSolver solver, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  const std::size_t steps = sigmas.size() - 1;
  const CarefulEnd careful = solver.lower_order_final ? CarefulEnd::always : CarefulEnd::never;
  History d(std::size_t(std::max(solver.predictor, solver.corrector)), x.size());
  std::vector<double> from(x.begin(), x.end()), noise(x.size());  // corrected state; noise of the latest step
  const auto step = [&](std::size_t i) {
    const bool noisy = sigmas[i] >= solver.s_tmin && sigmas[i] <= solver.s_tmax;
    return AdamsStep{noisy ? solver.tau : 0, sigmas[i], sigmas[i + 1]};
  };
  // The levels of `count` values of D, that at level i first.
  const auto latest = [&](std::size_t i, int count) {
    std::vector<double> levels;
    for (std::size_t age = 0; age < std::size_t(count); ++age) levels.push_back(sigmas[i - age]);
    return levels;
  };
  for (std::size_t i = 0; i < steps; ++i) {
    const std::span<double> newest = d.push();
    co_yield Question{x, sigmas[i], newest};
    if (i > 0) {
      int order = std::min(solver.corrector, int(i) + 1);
      if (solver.lower_order_final) order = std::min(order, int(steps - i) + 2);
      step(i - 1).apply(from, latest(i, order), d, noise, x);
      from.assign(x.begin(), x.end());
    }
    if (step(i).sigma_up() > 0) state.noise(int(i) + 1, noise);
    const int order = order_of_step(solver.predictor, i, sigmas, careful);
    step(i).apply(from, latest(i, order), d, noise, x);
    state.report(i, newest);
  }
}

}  // namespace diffusion
