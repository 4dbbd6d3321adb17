#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include <diffusion/error.h>
#include "diffusers/scheduler_config_parts.h"

namespace diffusion {

namespace scheduler {

namespace {

SchedulerSettings ddpm(const Fields& fields) {
  // fixed_small_log is the same computed from its logarithm.
  constexpr std::array<std::string_view, 3> kVariances{"fixed_small", "fixed_small_log", "fixed_large"};
  SamplingRecipe s{.levels = levels(fields, LevelGrid::whole_timesteps, "leading")};
  const bool large = fields.choice("variance_type", "fixed_small", kVariances) == 2;
  s.sampler = Ddpm{.variance = large ? DdpmVariance::beta : DdpmVariance::posterior};
  s.limit = estimate_limit(fields, true, true, true);
  return settings(discrete_preconditioner(fields, true), std::move(s));
}

SchedulerSettings ddim(const Fields& fields) {
  SamplingRecipe s{.sampler = Ddim{}, .levels = levels(fields, LevelGrid::whole_timesteps, "leading")};
  s.levels.ends_at_sigma_min = !fields.flag("set_alpha_to_one", true);
  s.limit = estimate_limit(fields, true, true, true);
  s.limit.spares_noise = s.limit.kind != EstimateLimit::Kind::none;
  return settings(discrete_preconditioner(fields, true), std::move(s));
}

SchedulerSettings pndm(const Fields& fields) {
  SamplingRecipe s{.sampler = Pndm{}, .levels = levels(fields, LevelGrid::whole_timesteps, "leading")};
  s.levels.ends_at_sigma_min = !fields.flag("set_alpha_to_one", false);
  s.levels.has_middles = !fields.flag("skip_prk_steps", false);  // absent is false, too
  return settings(discrete_preconditioner(fields, false), std::move(s));
}

SchedulerSettings euler(const Fields& fields) {
  SamplingRecipe s{.sampler = Euler{}, .levels = levels(fields, LevelGrid::real_timesteps, "linspace")};
  fields.only_text("interpolation_type", "linear");
  fields.only_text("timestep_type", "discrete");
  s.levels.sigma_min = fields.positive_or_null("sigma_min");
  s.levels.sigma_max = fields.positive_or_null("sigma_max");
  s.levels.ends_at_sigma_min = ends_at_sigma_min(fields);
  return settings(discrete_preconditioner(fields, true), std::move(s));
}

SchedulerSettings euler_ancestral(const Fields& fields) {
  SamplingRecipe s{.sampler = EulerAncestral{},
                   .levels = levels(fields, LevelGrid::real_timesteps, "linspace")};
  s.levels.spacing = s.levels.range;  // this class has no use_karras_sigmas and the like
  return settings(discrete_preconditioner(fields, true), std::move(s));
}

SchedulerSettings heun(const Fields& fields) {
  SamplingRecipe s{.sampler = Heun{}, .levels = levels(fields, LevelGrid::real_timesteps, "linspace")};
  s.limit = estimate_limit(fields, true, false, false);
  return settings(discrete_preconditioner(fields, false, 0.00085, 0.012), std::move(s));
}

SchedulerSettings kdpm2(const Fields& fields) {
  SamplingRecipe s{.sampler = Dpm2{}, .levels = levels(fields, LevelGrid::real_timesteps, "linspace")};
  if (s.levels.spacing == Spacing::karras) s.levels.rounding = TimestepRounding::nearest;
  return settings(discrete_preconditioner(fields, false, 0.00085, 0.012), std::move(s));
}

SchedulerSettings lms(const Fields& fields) {
  return settings(discrete_preconditioner(fields, false),
                  {.sampler = Lms{}, .levels = levels(fields, LevelGrid::real_timesteps, "linspace")});
}

SchedulerSettings edm_euler(const Fields& fields) {
  return settings(edm_preconditioner(fields), {.sampler = Euler{}, .levels = edm_levels(fields)});
}

}  // namespace

Preconditioner edm_preconditioner(const Fields& fields) {
  constexpr double kMost = std::numeric_limits<double>::max(), kLeast = std::numeric_limits<double>::min();
  constexpr std::array<std::string_view, 2> kPredictions{"epsilon", "v_prediction"};
  EdmParameters edm;
  edm.sigma_data = fields.number("sigma_data", edm.sigma_data, kLeast, kMost);
  edm.sigma_min = fields.number("sigma_min", edm.sigma_min, kLeast, kMost);
  edm.sigma_max = fields.number("sigma_max", edm.sigma_max, kLeast, kMost);
  edm.negated = fields.choice("prediction_type", "epsilon", kPredictions) == 1;
  return Preconditioner(edm);
}

LevelSettings edm_levels(const Fields& fields) {
  constexpr std::array<std::string_view, 2> kSchedules{"karras", "exponential"};
  LevelSettings l{.grid = LevelGrid::real_timesteps, .initial_std = InitialStd::with_data};
  l.spacing =
      fields.choice("sigma_schedule", "karras", kSchedules) == 0 ? Spacing::karras : Spacing::exponential;
  l.rho = fields.number("rho", 7, 1, std::numeric_limits<double>::max());
  l.ends_at_sigma_min = ends_at_sigma_min(fields);
  return l;
}

}  // namespace scheduler

namespace {

struct SchedulerClass {
  std::string_view name;
  SchedulerSettings (*read)(const SchedulerFields& fields);
};
constexpr std::array<SchedulerClass, 21> kClasses{
    {{"DDPMScheduler", scheduler::ddpm},
     {"DDIMScheduler", scheduler::ddim},
     {"PNDMScheduler", scheduler::pndm},
     {"EulerDiscreteScheduler", scheduler::euler},
     {"EulerAncestralDiscreteScheduler", scheduler::euler_ancestral},
     {"HeunDiscreteScheduler", scheduler::heun},
     {"KDPM2DiscreteScheduler", scheduler::kdpm2},
     {"LMSDiscreteScheduler", scheduler::lms},
     {"DPMSolverMultistepScheduler", scheduler::dpm_solver},
     {"UniPCMultistepScheduler", scheduler::unipc},
     {"DEISMultistepScheduler", scheduler::deis},
     {"DPMSolverSinglestepScheduler", scheduler::dpm_solver_singlestep},
     {"SASolverScheduler", scheduler::sa_solver},
     {"LCMScheduler", scheduler::lcm},
     {"TCDScheduler", scheduler::tcd},
     {"DDIMInverseScheduler", scheduler::ddim_inverse},
     {"IPNDMScheduler", scheduler::ipndm},
     {"EDMEulerScheduler", scheduler::edm_euler},
     {"EDMDPMSolverMultistepScheduler", scheduler::edm_dpm_solver},
     {"FlowMatchEulerDiscreteScheduler", scheduler::flow_match_euler},
     {"FlowMatchHeunDiscreteScheduler", scheduler::flow_match_heun}}};

}  // namespace

SchedulerSettings parse_scheduler(const Json& json, std::string_view source) {
  const std::string where = fmt::format("{}: field _class_name", source);
  const std::string& name = to_string(member(json, "_class_name", source), where);
  const auto found = std::ranges::find(kClasses, name, &SchedulerClass::name);
  if (found == kClasses.end()) {
    std::string names;
    for (const SchedulerClass& row : kClasses)
      names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
    throw Error(ErrorKind::bad_input, fmt::format("{} is \"{}\"; accepted are: {}.", where, name, names));
  }
  try {
    return found->read(SchedulerFields(json, source));
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::usage) throw;
    throw Error(ErrorKind::bad_input, fmt::format("{}: {}", source, e.what()));
  }
}

}  // namespace diffusion
