#include "device/reference/activation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace diffusion {

namespace {

constexpr double kQuickGelu = 1.702;

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

// log(1 + e^x) without overflow.
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

double normal_density(double x) {
  return std::exp(-0.5 * x * x) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

// The argument of gelu_tanh's tanh.
double gelu_inner(double x) {
  return std::numbers::sqrt2 * std::numbers::inv_sqrtpi * (x + 0.044715 * x * x * x);
}

// 1 - Phi(-x) would lose the lower tail; erfc does not.
double normal_distribution(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

}  // namespace

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::silu:
      return x * sigmoid(x);
    case Activation::gelu:
      return x * normal_distribution(x);
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(gelu_inner(x)));
    case Activation::quick_gelu:
      return x * sigmoid(kQuickGelu * x);
    case Activation::mish:
      return x * std::tanh(softplus(x));
    case Activation::relu:
      return x > 0 ? x : 0;
  }
  return x;
}

double activate_derivative(Activation activation, double x) {
  switch (activation) {
    case Activation::none:
      return 1;
    case Activation::silu: {
      const double s = sigmoid(x);
      return s * (1 + x * (1 - s));
    }
    case Activation::gelu:
      return normal_distribution(x) + x * normal_density(x);
    case Activation::gelu_tanh: {
      const double t = std::tanh(gelu_inner(x));
      const double slope = std::numbers::sqrt2 * std::numbers::inv_sqrtpi * (1 + 3 * 0.044715 * x * x);
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope;
    }
    case Activation::quick_gelu: {
      const double s = sigmoid(kQuickGelu * x);
      return s * (1 + kQuickGelu * x * (1 - s));
    }
    case Activation::mish: {
      const double t = std::tanh(softplus(x));
      return t + x * (1 - t * t) * sigmoid(x);
    }
    case Activation::relu:
      return x > 0 ? 1 : 0;
  }
  return 1;
}

}  // namespace diffusion
