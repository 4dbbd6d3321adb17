#include <diffusion/sampling.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <diffusion/error.h>
#include "diffusion/samplers/walks.h"

namespace diffusion {

namespace {

// may_ascend: strictly ascending levels are accepted, too.
void check_sigmas(std::span<const double> sigmas, bool may_ascend) {
  if (sigmas.size() < 2)
    throw Error(ErrorKind::usage,
                fmt::format("A sampler needs at least two noise levels; it got {}.", sigmas.size()));
  const bool ascends = may_ascend && sigmas[1] > sigmas[0];
  for (std::size_t i = 0; i < sigmas.size(); ++i) {
    const bool last = i + 1 == sigmas.size();
    const bool in_order =
        i == 0 || (ascends ? sigmas[i] > sigmas[i - 1]
                           : sigmas[i] < sigmas[i - 1] || (last && sigmas[i] == sigmas[i - 1]));
    const bool accepted = std::isfinite(sigmas[i]) && (sigmas[i] > 0 || (last && sigmas[i] == 0)) && in_order;
    if (!accepted)
      throw Error(
          ErrorKind::usage,
          fmt::format(
              "Noise level {} of a sampler is {}; levels must be finite, positive (the last may be 0) and "
              "strictly descending (the last may repeat the one before it){}.",
              i, sigmas[i], may_ascend ? " or strictly ascending" : ""));
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

void check_downs(std::span<const double> downs, std::span<const double> sigmas) {
  if (downs.empty()) return;
  const std::size_t steps = sigmas.size() - 1;
  bool fit = downs.size() == steps;
  for (std::size_t i = 0; fit && i < steps; ++i) fit = downs[i] >= 0 && downs[i] <= sigmas[i + 1];
  if (!fit)
    throw Error(
        ErrorKind::usage,
        fmt::format("A sampler that goes down further than to the next noise level, and up again, needs "
                    "to know for each of its {} steps how far: a sigma from 0 to that level.",
                    steps));
}

void check_boundary(std::span<const double> boundary, std::span<const double> sigmas) {
  const bool fit = boundary.empty() || boundary.size() == sigmas.size() - 1;
  if (!fit || !std::ranges::all_of(boundary, [](double r) { return r >= 0; }))
    throw Error(
        ErrorKind::usage,
        fmt::format("The boundary condition of a consistency model has {} numbers; it needs one for each "
                    "of the {} steps, 0 or more.",
                    boundary.size(), sigmas.size() - 1));
}

void check_orders(const SaSolver& solver) {
  constexpr int kMost = 4;
  for (const int order : {solver.predictor, solver.corrector})
    if (order < 1 || order > kMost)
      throw Error(ErrorKind::usage,
                  fmt::format("The order of SA-Solver is {}; accepted are 1 to {}.", order, kMost));
}

void check(const Sampler& sampler, const SamplerState& state) {
  const auto* own = std::get_if<OwnSampler>(&sampler);
  if (own && !own->walk)
    throw Error(ErrorKind::usage, fmt::format("The sampler \"{}\" of one's own has no walk.", own->name));
  check_sigmas(state.sigmas, facts_of(sampler).ascends);
  check_options(sampler);
  if (!state.noise && facts_of(sampler).stochastic)
    throw Error(ErrorKind::usage, fmt::format("The sampler {} needs a source of noise.", name_of(sampler)));
  if (const Pndm* pndm = std::get_if<Pndm>(&sampler)) check_middles(pndm->middles, state.sigmas);
  if (const auto* euler = std::get_if<EulerAncestral>(&sampler)) check_downs(euler->downs, state.sigmas);
  if (const auto* lcm = std::get_if<Consistency>(&sampler)) check_boundary(lcm->boundary, state.sigmas);
  if (const auto* solver = std::get_if<SaSolver>(&sampler)) check_orders(*solver);
  if (state.x.empty())
    throw Error(ErrorKind::usage, "A sampler was given nothing to work on: x has no elements.");
}

}  // namespace

SamplerCoroutine walk(const OwnSampler& own, SamplerState& state) {
  return own.walk(state);
}

struct Sampling::Parts {
  Sampler sampler;
  SamplerState state;
  SamplerCoroutine steps;  // refers to both

  Parts(Sampler chosen, SamplerState given)
      : sampler(std::move(chosen)),
        state(std::move(given)),
        steps(std::visit([this](const auto& s) { return walk(s, state); }, sampler)) {}

  void resume() {
    steps.resume();
    if (!steps.question() && !std::ranges::all_of(state.x, [](double value) { return std::isfinite(value); }))
      throw Error(
          ErrorKind::non_finite,
          fmt::format("The sampler {} ended with NaN or infinity; the network's weights or its input are not "
                      "usable.",
                      name_of(sampler)));
  }
};

Sampling::Sampling(Sampler sampler, std::vector<double> sigmas, std::vector<double> x, NoiseSource noise,
                   StepCallback on_step) {
  SamplerState state{std::move(sigmas), std::move(x), std::move(noise), std::move(on_step)};
  check(sampler, state);
  parts_ = std::make_unique<Parts>(std::move(sampler), std::move(state));
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
