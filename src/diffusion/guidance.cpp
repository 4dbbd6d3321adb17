#include "diffusion/guidance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <diffusion/error.h>

namespace diffusion {

namespace {

void require_usable(bool holds, const std::string& message) {
  if (!holds) throw Error(ErrorKind::usage, message);
}

// Linear between the two nearest, as numpy's and torch's quantile. Reorders the values.
double quantile(std::vector<double>& values, double ratio) {
  const double place = ratio * double(values.size() - 1);
  const auto below = values.begin() + std::ptrdiff_t(place);
  std::ranges::nth_element(values, below);
  if (below + 1 == values.end()) return *below;
  return std::lerp(*below, *std::min_element(below + 1, values.end()), place - std::floor(place));
}

double standard_deviation(std::span<const double> values) {
  double mean = 0, variance = 0;
  for (const double value : values) mean += value / double(values.size());
  for (const double value : values) variance += (value - mean) * (value - mean) / double(values.size());
  return std::sqrt(variance);
}

Denoiser guide(Denoiser strong, Denoiser weak, const Guidance& g, std::size_t elements_per_image) {
  check_guidance(g, elements_per_image);
  return [g, elements_per_image, strong = std::move(strong), weak = std::move(weak),
          estimate = std::vector<double>()](std::span<const double> x, double sigma,
                                            std::span<double> denoised) mutable {
    const GuidanceRows rows = guidance_rows(g, sigma);
    if (rows == GuidanceRows::strong) return strong(x, sigma, denoised);
    if (rows == GuidanceRows::weak) return weak(x, sigma, denoised);
    estimate.resize(x.size());
    strong(x, sigma, estimate);
    weak(x, sigma, denoised);
    guide_estimate(g, estimate, denoised, elements_per_image);
  };
}

}  // namespace

void check_guidance(const Guidance& g, std::size_t elements_per_image) {
  require_usable(std::isfinite(g.scale),
                 fmt::format("The guidance scale is {}; it must be finite.", g.scale));
  require_usable(g.sigma_low >= 0 && g.sigma_low < g.sigma_high,
                 fmt::format("Guidance between the noise levels {} and {} is not possible; they must not be "
                             "negative and the first "
                             "must be less than the second.",
                             g.sigma_low, g.sigma_high));
  require_usable(g.rescale >= 0 && g.rescale <= 1,
                 fmt::format("The guidance rescale is {}; accepted are 0 to 1.", g.rescale));
  require_usable(g.rescale == 0 || elements_per_image > 0,
                 "Guidance with rescale must know the size of an image.");
}

GuidanceRows guidance_rows(const Guidance& g, double sigma) {
  const bool everywhere = g.sigma_low == 0 && std::isinf(g.sigma_high);
  if (g.scale == 1 || !(sigma > g.sigma_low && sigma <= g.sigma_high)) return GuidanceRows::strong;
  return g.scale == 0 && everywhere && g.rescale == 0 ? GuidanceRows::weak : GuidanceRows::both;
}

void guide_estimate(const Guidance& g, std::span<const double> strong, std::span<double> weak,
                    std::size_t elements_per_image) {
  require_usable(
      g.rescale == 0 || (elements_per_image > 0 && weak.size() % elements_per_image == 0),
      fmt::format("{} elements are not whole images of {} elements.", weak.size(), elements_per_image));
  for (std::size_t i = 0; i < weak.size(); ++i) weak[i] += g.scale * (strong[i] - weak[i]);
  if (g.rescale == 0) return;
  for (std::size_t first = 0; first < weak.size(); first += elements_per_image) {
    const std::span<double> guided = weak.subspan(first, elements_per_image);
    const double before = standard_deviation(strong.subspan(first, elements_per_image)),
                 after = standard_deviation(guided);
    if (after == 0) continue;
    const double factor = std::lerp(1.0, before / after, g.rescale);
    for (double& value : guided) value *= factor;
  }
}

DenoisedLimit clip_limit(double low, double high) {
  require_usable(low < high,
                 fmt::format("Clipping to [{}, {}] is not possible; low must be less than high.", low, high));
  return [=](std::span<double> denoised) {
    for (double& value : denoised) value = std::clamp(value, low, high);
  };
}

DenoisedLimit dynamic_threshold_limit(std::size_t elements_per_image, double ratio, double max_value) {
  require_usable(ratio >= 0 && ratio <= 1,
                 fmt::format("The ratio of dynamic thresholding is {}; accepted are 0 to 1.", ratio));
  require_usable(max_value >= 1,
                 fmt::format("The largest threshold of dynamic thresholding is {}; accepted are 1 and more.",
                             max_value));
  require_usable(elements_per_image > 0, "Dynamic thresholding must know the size of an image.");
  return [=](std::span<double> denoised) {
    require_usable(
        denoised.size() % elements_per_image == 0,
        fmt::format("{} elements are not whole images of {} elements.", denoised.size(), elements_per_image));
    std::vector<double> magnitudes(elements_per_image);
    for (std::size_t first = 0; first < denoised.size(); first += elements_per_image) {
      const std::span<double> image = denoised.subspan(first, elements_per_image);
      std::ranges::transform(image, magnitudes.begin(), [](double value) { return std::abs(value); });
      const double s = std::clamp(quantile(magnitudes, ratio), 1.0, max_value);
      for (double& value : image) value = std::clamp(value, -s, s) / s;
    }
  };
}

DenoisedLimit denoised_limit(const EstimateLimit& limit, std::size_t elements_per_image) {
  switch (limit.kind) {
    case EstimateLimit::Kind::none:
      return {};
    case EstimateLimit::Kind::clip:
      return clip_limit(-limit.range, limit.range);
    case EstimateLimit::Kind::dynamic_threshold:
      return dynamic_threshold_limit(elements_per_image, limit.ratio, limit.max_value);
  }
  throw Error(ErrorKind::internal, "A kind of limit does not exist.");
}

Denoiser limit_denoised(Denoiser denoise, DenoisedLimit limit) {
  return [inner = std::move(denoise), limit = std::move(limit)](std::span<const double> x, double sigma,
                                                                std::span<double> denoised) {
    inner(x, sigma, denoised);
    limit(denoised);
  };
}

Denoiser clip_denoised(Denoiser denoise, double low, double high) {
  return limit_denoised(std::move(denoise), clip_limit(low, high));
}

Denoiser classifier_free_guidance(Denoiser conditional, Denoiser unconditional, const Guidance& guidance,
                                  std::size_t elements_per_image) {
  return guide(std::move(conditional), std::move(unconditional), guidance, elements_per_image);
}

Denoiser autoguidance(Denoiser denoise, Denoiser weaker, const Guidance& guidance,
                      std::size_t elements_per_image) {
  return guide(std::move(denoise), std::move(weaker), guidance, elements_per_image);
}

}  // namespace diffusion
