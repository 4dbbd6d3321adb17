#include "diffusion/samplers/sampling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "diffusion/samplers/coroutine.h"

namespace diffusion {

namespace {

void check_sigmas(std::span<const double> sigmas) {
  if (sigmas.size() < 2)
    throw Error(ErrorKind::usage,
                fmt::format("A sampler needs at least two noise levels; it got {}.", sigmas.size()));
  for (std::size_t i = 0; i < sigmas.size(); ++i) {
    const bool last = i + 1 == sigmas.size();
    const bool accepted = std::isfinite(sigmas[i]) && (sigmas[i] > 0 || (last && sigmas[i] == 0)) &&
                          (i == 0 || sigmas[i] < sigmas[i - 1] || (last && sigmas[i] == sigmas[i - 1]));
    if (!accepted)
      throw Error(
          ErrorKind::usage,
          fmt::format(
              "Noise level {} of a sampler is {}; levels must be finite, positive (the last may be 0) and "
              "strictly descending (the last may repeat the one before it).",
              i, sigmas[i]));
  }
}

void check_middles(std::span<const double> middles, std::span<const double> sigmas) {
  for (std::size_t i = 0; i < middles.size(); ++i)
    if (i + 1 >= sigmas.size() || !(middles[i] < sigmas[i] && middles[i] > sigmas[i + 1]))
      throw Error(
          ErrorKind::usage,
          fmt::format(
              "Middle {} of a sampler is the noise level {}; it must lie between the levels {} and {}.", i,
              middles[i], i, i + 1));
}

void check(const Sampler& sampler, const SamplerState& state) {
  check_sigmas(state.sigmas);
  check_options(sampler);
  if (!state.noise && facts_of(sampler).stochastic)
    throw Error(ErrorKind::usage, fmt::format("The sampler {} needs a source of noise.", name_of(sampler)));
  if (const Pndm* pndm = std::get_if<Pndm>(&sampler)) check_middles(pndm->middles, state.sigmas);
  if (state.x.empty())
    throw Error(ErrorKind::usage, "A sampler was given nothing to work on: x has no elements.");
}

}  // namespace

struct Sampling::Parts {
  SamplerState state;
  std::string_view name;
  SamplerCoroutine steps;  // refers to `state`

  Parts(const Sampler& sampler, SamplerState given)
      : state(std::move(given)),
        name(name_of(sampler)),
        steps(std::visit([this](const auto& s) { return walk(s, state); }, sampler)) {}

  void resume() {
    steps.resume();
    if (!steps.question() && !std::ranges::all_of(state.x, [](double value) { return std::isfinite(value); }))
      throw Error(
          ErrorKind::non_finite,
          fmt::format("The sampler {} ended with NaN or infinity; the network's weights or its input are not "
                      "usable.",
                      name));
  }
};

Sampling::Sampling(Sampler sampler, std::vector<double> sigmas, std::vector<double> x, NoiseSource noise,
                   StepCallback on_step) {
  SamplerState state{std::move(sigmas), std::move(x), std::move(noise), std::move(on_step)};
  check(sampler, state);
  parts_ = std::make_unique<Parts>(sampler, std::move(state));
  parts_->resume();
}

Sampling::Sampling(Sampling&& other) noexcept = default;
Sampling& Sampling::operator=(Sampling&& other) noexcept = default;
Sampling::~Sampling() = default;

const Question* Sampling::question() const {
  return parts_->steps.question();
}

void Sampling::answer() {
  if (!question()) throw Error(ErrorKind::internal, "A sampling that is finished was given an answer.");
  parts_->resume();
}

std::span<const double> Sampling::x() const {
  return parts_->state.x;
}

}  // namespace diffusion
