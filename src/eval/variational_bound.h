#pragma once

// The variational bound on the negative log likelihood of 8-bit images under a discrete-time model (Ho et al.
// 2020, arXiv 2006.11239, eq. 5; with the paper's t, which is ours + 1):
//   L = KL(q(x_T | x_0) || N(0, I)) + sum_{t = 2 .. T} KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) - log
//     p(x_0 | x_1)
// p(x_{t-1} | x_t) has the mean of the posterior q with D in place of x_0, and one of two fixed variances.
// Everything is in nats here; likelihood.h has bits per dimension. Levels of 8 bits are x = k / 127.5 - 1, k
// = 0 .. 255.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "diffusion/samplers.h"
#include "diffusion/schedule.h"
#include "eval/level_denoiser.h"

namespace diffusion {

// KL(q(x_T | x_0) || N(0, I)) of one number.
double prior_divergence(const NoiseSchedule& schedule, double x0);

// KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) of one number with (x_0 - D)^2 = squared_error, for t in [1,
// T) as in diffusers. posterior: (SNR(t-1) - SNR(t)) / 2 squared_error. beta is smaller where D errs much,
// and more than 0 where it does not err at all.
double step_divergence(const NoiseSchedule& schedule, int t, DdpmVariance variance, double squared_error);

// The standard deviation of p(x_0 | x_1). beta: sqrt(beta_0). posterior: the posterior has none there, so as
// in Ho et al.'s program that of one step later, sqrt(beta_1 (1 - a_0) / (1 - a_1)), which is less. They are
// equal if T is 1.
double decoder_std(const NoiseSchedule& schedule, DdpmVariance variance);

// log of the mass that N(mean, std^2) has between the middles of the levels around `level`, a number k /
// 127.5 - 1; the first and the last level reach to infinity (Ho et al. 2020, eq. 13). To full relative
// precision however far away the level is.
double discretized_gaussian_log_probability(double level, double mean, double std);

// Of one image, nats of all its numbers together.
struct VariationalBound {
  struct Parts {
    double steps = 0, decoder = 0;
  };
  double prior = 0;
  Parts posterior, beta;  // by the variance that p has
};

struct VariationalBoundOptions {
  // How many of the T - 1 terms in the sum are estimated for an image: stratified, and drawn more often where
  // they are large for data of standard deviation 1/2. So the sum is unbiased. All of them, each once, if
  // there are no more.
  int terms = 32;
  std::uint64_t seed = 0;
};

// x0: `count` images, of 8-bit levels. Each term is from one noise. Image k is the same number in any batch:
// the random numbers are a function of the seed and first_image + k (Stream::noise_level,
// Stream::train_noise). Error(usage) if sizes do not fit.
std::vector<VariationalBound> variational_bounds(const NoiseSchedule& schedule, const LevelDenoiser& denoise,
                                                 std::span<const double> x0, std::size_t count,
                                                 std::uint32_t first_image,
                                                 const VariationalBoundOptions& options);

}  // namespace diffusion
