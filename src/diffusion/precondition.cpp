#include "diffusion/precondition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <diffusion/error.h>

namespace diffusion {

Preconditioner::Preconditioner(NoiseProcess process) : process_(std::move(process)) {
  std::visit([](const auto& p) { p.check(); }, process_);
}

Preconditioner::Preconditioner(Objective objective, NoiseSchedule schedule)
    : Preconditioner(VariancePreserving{objective, std::move(schedule)}) {}

const NoiseSchedule* Preconditioner::schedule() const {
  const auto* of_table = as<VariancePreserving>();
  return of_table ? &of_table->schedule : nullptr;
}

ProcessFacts Preconditioner::facts() const {
  return std::visit([](const auto& p) { return p.facts(); }, process_);
}

Scalings Preconditioner::scalings(double sigma) const {
  require_positive("The noise level sigma", sigma);
  return std::visit([&](const auto& p) { return p.scalings(sigma); }, process_);
}

double Preconditioner::sigma_min() const {
  return std::visit([](const auto& p) { return p.range().lowest; }, process_);
}

double Preconditioner::sigma_max() const {
  return std::visit([](const auto& p) { return p.range().highest; }, process_);
}

double Preconditioner::sigma_at(double u) const {
  return std::visit([&](const auto& p) { return p.sigma_at(u); }, process_);
}

double Preconditioner::initial_std(double sigma) const {
  return std::visit([&](const auto& p) { return p.initial_std(sigma); }, process_);
}

double Preconditioner::picture_scale(double sigma) const {
  return std::visit([&](const auto& p) { return p.picture_scale(sigma); }, process_);
}

ProcessText Preconditioner::text() const {
  return std::visit([](const auto& p) { return p.text(); }, process_);
}

NoiseLevels Preconditioner::levels(int steps, const LevelSettings& settings) const {
  return std::visit([&](const auto& p) { return p.levels(steps, settings); }, process_);
}

NoiseLevels noise_levels(const Preconditioner& preconditioner, int steps, const LevelSettings& settings) {
  if (steps < 1)
    throw Error(ErrorKind::usage,
                fmt::format("{} sampling steps were asked for; at least 1 is needed.", steps));
  NoiseLevels levels = preconditioner.levels(steps, settings);
  levels.initial_std = preconditioner.initial_std(levels.sigmas.front());
  levels.sigmas.push_back(0);
  return levels;
}

std::string_view to_string(WeightingKind kind) {
  constexpr std::array<std::string_view, 3> kNames{"uniform", "p2", "min_snr"};
  return kNames.at(std::size_t(kind));
}

double loss_weight(const Weighting& weighting, const Preconditioner& preconditioner, double sigma) {
  require_positive("The noise level sigma", sigma);
  const double snr = 1 / (sigma * sigma);
  switch (weighting.kind) {
    case WeightingKind::uniform:
      return 1;
    case WeightingKind::p2:
      require_positive("p2_k", weighting.p2_k);
      require(weighting.p2_gamma >= 0 && std::isfinite(weighting.p2_gamma), "p2_gamma", weighting.p2_gamma,
              "0 or more, and finite");
      return std::pow(weighting.p2_k + snr, -weighting.p2_gamma);
    case WeightingKind::min_snr: {
      require_positive("min_snr_gamma", weighting.min_snr_gamma);
      const double c_out = preconditioner.scalings(sigma).c_out;
      return std::min(snr, weighting.min_snr_gamma) * c_out * c_out;
    }
  }
  throw Error(ErrorKind::internal, "A loss weighting has a kind that does not exist.");
}

}  // namespace diffusion
