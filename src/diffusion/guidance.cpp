#include "diffusion/guidance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"

namespace diffusion {

Denoiser clip_denoised(Denoiser denoise, double low, double high) {
  if (!(low < high))
    throw Error(ErrorKind::usage,
                fmt::format("Clipping to [{}, {}] is not possible; low must be less than high.", low, high));
  return
      [=, inner = std::move(denoise)](std::span<const double> x, double sigma, std::span<double> denoised) {
        inner(x, sigma, denoised);
        for (double& value : denoised) value = std::clamp(value, low, high);
      };
}

Denoiser classifier_free_guidance(Denoiser conditional, Denoiser unconditional, double scale) {
  if (!std::isfinite(scale))
    throw Error(ErrorKind::usage, fmt::format("The guidance scale is {}; it must be finite.", scale));
  if (scale == 1) return conditional;
  if (scale == 0) return unconditional;
  return
      [scale, cond = std::move(conditional), uncond = std::move(unconditional), base = std::vector<double>()](
          std::span<const double> x, double sigma, std::span<double> denoised) mutable {
        base.resize(x.size());
        cond(x, sigma, denoised);
        uncond(x, sigma, base);
        for (std::size_t i = 0; i < denoised.size(); ++i)
          denoised[i] = base[i] + scale * (denoised[i] - base[i]);
      };
}

}  // namespace diffusion
