#include "diffusion/samplers/adams.h"

#include <array>

namespace diffusion {

namespace {

// Adams-Bashforth weights of 1 to 4 values for equal steps, newest first.
std::span<const double> equal_step_weights(std::size_t values) {
  static constexpr std::array<std::array<double, 4>, 4> kWeights{
      {{1},
       {3.0 / 2, -1.0 / 2},
       {23.0 / 12, -16.0 / 12, 5.0 / 12},
       {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24}}};
  return std::span(kWeights.at(values - 1)).first(values);
}

}  // namespace

void estimate_noise(std::span<const double> x, std::span<const double> denoised, double sigma,
                    std::span<double> epsilon) {
  for (std::size_t k = 0; k < x.size(); ++k) epsilon[k] = (x[k] - denoised[k]) / sigma;
}

void add_weighted(std::span<double> x, std::span<const double> weights, const History& epsilon) {
  for (std::size_t age = 0; age < weights.size(); ++age)
    for (std::size_t k = 0; k < x.size(); ++k) x[k] += weights[age] * epsilon[age][k];
}

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

void step_as_if_equal(std::span<double> x, double step, const History& epsilon) {
  std::vector<double> weights;
  for (const double weight : equal_step_weights(epsilon.size())) weights.push_back(step * weight);
  add_weighted(x, weights, epsilon);
}

}  // namespace diffusion
