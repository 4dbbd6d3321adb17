#include "diffusion/samplers/exponential.h"

#include <cmath>

namespace diffusion {

double slope_weight(double q) {
  return std::abs(q) < 1e-5 ? q / 2 - q * q / 6 : std::expm1(-q) / q + 1;
}

// The series of exp(a v), whose terms are all positive: by parts the integral would lose its digits for short
// steps.
double monomial_weight(double a, double h, int power) {
  const double q = a * h;
  if (power == 0) return -std::expm1(-q);
  double term = 1, sum = 0;
  for (int n = 0; n == 0 || n < q || term > 1e-17 * sum; ++n) {
    sum += term / (n + power + 1);
    term *= q / (n + 1);
  }
  return q * std::pow(h, power) * std::exp(-q) * sum;
}

}  // namespace diffusion
