#include "diffusion/precondition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include <diffusion/error.h>
#include "base/names.h"

namespace diffusion {

namespace {

constexpr std::array<std::string_view, 5> kObjectiveNames{"epsilon", "v", "x0", "edm", "flow"};
constexpr std::array<std::string_view, 3> kWeightingNames{"uniform", "p2", "min_snr"};

void require(bool accepted, std::string_view name, double value, std::string_view range) {
  if (!accepted) throw Error(ErrorKind::usage, fmt::format("{} is {}; it must be {}.", name, value, range));
}

void require_positive(std::string_view name, double value) {
  require(value > 0 && std::isfinite(value), name, value, "positive and finite");
}

}  // namespace

std::string_view to_string(Objective objective) {
  return kObjectiveNames.at(std::size_t(objective));
}

Objective parse_objective(std::string_view name) {
  return Objective(index_of_name("objective", name, kObjectiveNames));
}

Preconditioner::Preconditioner(Objective objective, NoiseSchedule schedule)
    : objective_(objective), levels_(std::move(schedule)) {
  if (objective == Objective::edm || objective == Objective::flow)
    throw Error(
        ErrorKind::usage,
        fmt::format("The objective {} has no noise schedule; accepted with a schedule are: epsilon, v, x0.",
                    to_string(objective)));
  if (std::get<NoiseSchedule>(levels_).sigmas.empty())
    throw Error(ErrorKind::usage, "The noise schedule of a model has no timesteps; it needs at least one.");
}

Preconditioner::Preconditioner(const EdmParameters& parameters)
    : objective_(Objective::edm), levels_(parameters) {
  require_positive("sigma_data", parameters.sigma_data);
  require_positive("sigma_min", parameters.sigma_min);
  require_positive("sigma_max", parameters.sigma_max);
  require(parameters.sigma_min < parameters.sigma_max, "sigma_min", parameters.sigma_min,
          fmt::format("less than sigma_max, which is {}", parameters.sigma_max));
  require(std::isfinite(parameters.p_mean), "p_mean", parameters.p_mean, "finite");
  require_positive("p_std", parameters.p_std);
}

Preconditioner::Preconditioner(const FlowParameters& parameters)
    : objective_(Objective::flow), levels_(parameters) {
  const int T = parameters.num_train_timesteps;
  require(T >= 3 && T <= 1'000'000, "The number of timesteps of a flow", T, "3 to 1000000");
  require(std::isfinite(parameters.logit_mean), "logit_mean", parameters.logit_mean, "finite");
  require_positive("logit_std", parameters.logit_std);
}

Scalings Preconditioner::scalings(double sigma) const {
  require_positive("The noise level sigma", sigma);
  const double vp_norm = std::hypot(1, sigma);
  switch (objective_) {
    case Objective::epsilon:
      return {1, -sigma, 1 / vp_norm, schedule()->timestep_of_sigma(sigma)};
    case Objective::v:
      return {1 / (vp_norm * vp_norm), -sigma / vp_norm, 1 / vp_norm, schedule()->timestep_of_sigma(sigma)};
    case Objective::x0:
      return {0, 1, 1 / vp_norm, schedule()->timestep_of_sigma(sigma)};
    case Objective::edm: {
      const EdmParameters& edm = std::get<EdmParameters>(levels_);
      const double norm = std::hypot(edm.sigma_data, sigma);
      const double share = edm.sigma_data / norm, c_out = sigma * share;
      const double time = edm.time == EdmParameters::Time::angle ? std::atan(sigma) * 2 / std::numbers::pi
                                                                 : std::log(sigma) / 4;
      return {share * share, edm.negated ? -c_out : c_out, 1 / norm, time};
    }
    case Objective::flow: {
      const double t = sigma / (1 + sigma);
      return {1 / (1 + sigma), -t, 1 / (1 + sigma), flow()->num_train_timesteps * t};
    }
  }
  throw Error(ErrorKind::internal, "A preconditioner has an objective that does not exist.");
}

double Preconditioner::sigma_min() const {
  if (flow()) return 1.0 / (flow()->num_train_timesteps - 1);
  return schedule() ? schedule()->sigmas.front() : std::get<EdmParameters>(levels_).sigma_min;
}

double Preconditioner::sigma_max() const {
  if (flow()) return flow()->num_train_timesteps - 1;
  return schedule() ? schedule()->sigmas.back() : std::get<EdmParameters>(levels_).sigma_max;
}

double Preconditioner::sigma_at(double u) const {
  if (schedule()) {
    const auto T = std::size_t(schedule()->num_train_timesteps);
    return schedule()->sigmas[std::min(std::size_t(u * double(T)), T - 1)];  // u T may round to T
  }
  if (flow()) return std::exp(flow()->logit_mean + flow()->logit_std * normal_quantile(u));
  return std::exp(edm()->p_mean + edm()->p_std * normal_quantile(u));
}

double Preconditioner::initial_std(double sigma) const {
  if (flow()) return 1 + sigma;
  return schedule() ? std::hypot(1, sigma) : sigma;
}

double Preconditioner::picture_scale(double sigma) const {
  return flow() ? 1 / (1 + sigma) : 1 / std::hypot(1, sigma);
}

std::string_view to_string(WeightingKind kind) {
  return kWeightingNames.at(std::size_t(kind));
}

WeightingKind parse_weighting_kind(std::string_view name) {
  return WeightingKind(index_of_name("loss weighting", name, kWeightingNames));
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
