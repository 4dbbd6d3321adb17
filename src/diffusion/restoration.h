#pragma once

// How a linear measurement comes into sampling, method by method (RestoreMethod): the arithmetic, which knows
// D and products with its Jacobian, but no network.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <diffusion/restore.h>
#include <diffusion/sampler.h>
#include "diffusion/samplers.h"

namespace diffusion {

// What is known of N images: A^+ y of each in the basis of A, and the noise of y.
struct Measured {
  LinearOperator a;
  std::vector<double> inverse;  // [N, C * H * W]
  double sigma = 0;

  std::size_t image_size() const { return a.input_size(); }
};

// measurements: [N, M]; those of the images first, first + 1, ... of `count`, image k being of measurement k
// mod their number.
Measured measured(const LinearOperator& a, std::span<const double> measurements, double sigma, int first,
                  int count);

// A sampler that is DDRM or DDNM+: every step draws the coordinates of the state in the basis of A anew, with
// as much of the measurement as its noise there allows.
OwnSampler spectral_sampler(RestoreMethod method, std::shared_ptr<const Measured> measured, double eta);

// product = probe^T dD/dx at the x and sigma of the D that was asked last.
using DenoiserProduct = std::function<void(std::span<const double> x, double sigma,
                                           std::span<const double> probe, std::span<double> product)>;

// D + sigma^2 times the gradient of log p(y | x), the images that x can come from being taken as N(D, r^2),
// r^2 = sigma^2 / (1 + sigma^2): PiGDM. Exact for data that are N(m, 1).
Denoiser pigdm_denoiser(Denoiser denoise, DenoiserProduct product, std::shared_ptr<const Measured> measured);

// DPS: with the sampler ddpm on `levels`, a step of its algorithm 1, which goes `step` times the gradient of
// |y - A D| down after that of ddpm, in VP form.
Denoiser dps_denoiser(Denoiser denoise, DenoiserProduct product, std::shared_ptr<const Measured> measured,
                      std::vector<double> levels, double step);

}  // namespace diffusion
