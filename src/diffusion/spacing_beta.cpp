#include "diffusion/spacing_beta.h"

#include <algorithm>
#include <cmath>

namespace diffusion {

namespace {

constexpr double kShape = 0.6;

double complete_beta() {
  return std::exp(2 * std::lgamma(kShape) - std::lgamma(2 * kShape));
}

// Probability below x <= 1/2, as a series in x (Abramowitz & Stegun 26.5.4):
//   x^a (1 - x)^b / (a B(a, b)) (1 + sum_n B(a + 1, n + 1) / B(a + b, n + 1) x^(n + 1)).
double probability_below(double x) {
  double term = 1, sum = 1;
  for (int n = 0; term > 1e-17 * sum; ++n) {
    term *= x * (2 * kShape + n) / (kShape + 1 + n);
    sum += term;
  }
  return std::pow(x * (1 - x), kShape) / (kShape * complete_beta()) * sum;
}

}  // namespace

double beta_quantile(double p) {
  if (p > 0.5) return 1 - beta_quantile(1 - p);
  if (p <= 0) return 0;
  // Newton's method from the leading term of the series, which lies above the root; the density falls up to
  // 1/2, so a step cannot pass the root by much, and the bracket holds what rounding does.
  double low = 0, high = 0.5;
  double x = std::min(high, std::pow(p * kShape * complete_beta(), 1 / kShape));
  for (int i = 0; i < 100; ++i) {
    const double error = probability_below(x) - p;
    (error > 0 ? high : low) = x;
    const double density = std::pow(x * (1 - x), kShape - 1) / complete_beta();
    double next = x - error / density;
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (std::abs(next - x) <= 1e-15 * x) return next;
    x = next;
  }
  return x;
}

}  // namespace diffusion
