#include "diffusion/forward_process.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <string_view>

#include <diffusion/error.h>

namespace diffusion {

namespace {

void require_size(std::string_view function, std::string_view name, std::size_t size, std::size_t expected) {
  if (size != expected)
    throw Error(ErrorKind::usage,
                fmt::format("{}: {} has {} elements; {} are needed.", function, name, size, expected));
}

}  // namespace

void q_sample(const NoiseSchedule& schedule, std::span<const double> x0, std::span<const int> timesteps,
              std::span<const double> noise, std::span<double> out) {
  if (timesteps.empty() || x0.size() % timesteps.size() != 0)
    throw Error(ErrorKind::usage, fmt::format("q_sample: {} elements are not {} samples of equal size.",
                                              x0.size(), timesteps.size()));
  require_size("q_sample", "noise", noise.size(), x0.size());
  require_size("q_sample", "out", out.size(), x0.size());
  const std::size_t sample_size = x0.size() / timesteps.size();
  for (std::size_t sample = 0; sample < timesteps.size(); ++sample) {
    const double alpha_cumprod = schedule.alpha_cumprod(timesteps[sample]);
    const double signal = std::sqrt(alpha_cumprod), sigma_vp = std::sqrt(1 - alpha_cumprod);
    for (std::size_t i = sample * sample_size; i < (sample + 1) * sample_size; ++i)
      out[i] = signal * x0[i] + sigma_vp * noise[i];
  }
}

void markov_step(const NoiseSchedule& schedule, int t, std::span<const double> noise, std::span<double> x) {
  require_size("markov_step", "noise", noise.size(), x.size());
  const double beta = schedule.beta(t);
  const double keep = std::sqrt(1 - beta), add = std::sqrt(beta);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = keep * x[i] + add * noise[i];
}

void network_input_and_target(const Preconditioner& preconditioner, double sigma, std::span<const float> y,
                              std::span<const float> noise, std::span<float> input, std::span<float> target) {
  require_size("network_input_and_target", "noise", noise.size(), y.size());
  require_size("network_input_and_target", "input", input.size(), y.size());
  require_size("network_input_and_target", "target", target.size(), y.size());
  const Scalings c = preconditioner.scalings(sigma);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double clean = y[i], x = clean + sigma * noise[i];
    input[i] = float(c.c_in * x);
    target[i] = float((clean - c.c_skip * x) / c.c_out);
  }
}

}  // namespace diffusion
