#include "eval/likeness.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr int kWindow = 11;
constexpr double kRange = 255;

void check_forms(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels)
    throw Error(ErrorKind::usage,
                fmt::format("pictures of {} x {} x {} and {} x {} x {} are compared; accepted is one form",
                            a.width, a.height, a.channels, b.width, b.height, b.channels));
}

std::array<double, kWindow> window_weights() {
  constexpr double kStd = 1.5;
  std::array<double, kWindow> weights{};
  double sum = 0;
  for (int k = 0; k < kWindow; ++k) {
    const double distance = k - kWindow / 2;
    weights[std::size_t(k)] = std::exp(-distance * distance / (2 * kStd * kStd));
    sum += weights[std::size_t(k)];
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

struct Moments2 {
  double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
};

double similarity(const Moments2& m) {
  constexpr double kMean = 0.01 * kRange * 0.01 * kRange, kVariance = 0.03 * kRange * 0.03 * kRange;
  const double covariance = m.ab - m.a * m.b, variances = m.aa - m.a * m.a + m.bb - m.b * m.b;
  return (2 * m.a * m.b + kMean) * (2 * covariance + kVariance) /
         ((m.a * m.a + m.b * m.b + kMean) * (variances + kVariance));
}

}  // namespace

double peak_signal_to_noise(const Image& a, const Image& b) {
  check_forms(a, b);
  constexpr double kLeast = 1e-12;
  double squares = 0;
  for (std::size_t k = 0; k < a.pixels.size(); ++k)
    squares += std::pow((double(a.pixels[k]) - double(b.pixels[k])) / kRange, 2);
  return -10 * std::log10(std::max(squares / double(a.pixels.size()), kLeast));
}

double structural_similarity(const Image& a, const Image& b) {
  check_forms(a, b);
  if (std::min(a.width, a.height) < kWindow)
    throw Error(ErrorKind::usage,
                fmt::format("pictures of {} x {} pixels have no structural similarity; accepted "
                            "are sides of {} or more",
                            a.width, a.height, kWindow));
  const std::array<double, kWindow> weights = window_weights();
  double sum = 0;
  for (int c = 0; c < a.channels; ++c)
    for (int top = 0; top + kWindow <= a.height; ++top)
      for (int left = 0; left + kWindow <= a.width; ++left) {
        Moments2 m;
        for (int y = 0; y < kWindow; ++y)
          for (int x = 0; x < kWindow; ++x) {
            const auto at = std::size_t(((top + y) * a.width + left + x) * a.channels + c);
            const double w = weights[std::size_t(y)] * weights[std::size_t(x)], p = a.pixels[at],
                         q = b.pixels[at];
            m.a += w * p;
            m.b += w * q;
            m.aa += w * p * p;
            m.bb += w * q * q;
            m.ab += w * p * q;
          }
        sum += similarity(m);
      }
  return sum / (double(a.channels) * (a.height - kWindow + 1) * (a.width - kWindow + 1));
}

}  // namespace diffusion
