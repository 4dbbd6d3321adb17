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
  const Levels levels = levels_of(fields, LevelGrid::whole_timesteps, "leading");
  const bool large = fields.choice("variance_type", "fixed_small", kVariances) == 2;
  const Ddpm ddpm{.variance = large ? DdpmVariance::beta : DdpmVariance::posterior};
  SamplingRecipe s{.sampler = ddpm, .limit = estimate_limit(fields, true, true, true)};
  return settings(discrete_preconditioner(fields, true), std::move(s), levels);
}

SchedulerSettings ddim(const Fields& fields) {
  Levels levels = levels_of(fields, LevelGrid::whole_timesteps, "leading");
  levels.ends_at_sigma_min = !fields.flag("set_alpha_to_one", true);
  SamplingRecipe s{.sampler = Ddim{}, .limit = estimate_limit(fields, true, true, true)};
  s.limit.spares_noise = s.limit.kind != EstimateLimit::Kind::none;
  return settings(discrete_preconditioner(fields, true), std::move(s), levels);
}

SchedulerSettings pndm(const Fields& fields) {
  Levels levels = levels_of(fields, LevelGrid::whole_timesteps, "leading");
  levels.ends_at_sigma_min = !fields.flag("set_alpha_to_one", false);
  levels.has_middles = !fields.flag("skip_prk_steps", false);  // absent is false, too
  return settings(discrete_preconditioner(fields, false), {.sampler = Pndm{}}, levels);
}

SchedulerSettings euler(const Fields& fields) {
  Levels levels = levels_of(fields, LevelGrid::real_timesteps, "linspace");
  fields.only_text("interpolation_type", "linear");
  fields.only_text("timestep_type", "discrete");
  set_sigma_range(fields, levels.settings);
  levels.ends_at_sigma_min = ends_at_sigma_min(fields);
  return settings(discrete_preconditioner(fields, true), {.sampler = Euler{}}, levels);
}

SchedulerSettings euler_ancestral(const Fields& fields) {
  Levels levels = levels_of(fields, LevelGrid::real_timesteps, "linspace");
  levels.settings.spacing = levels.range;  // this class has no use_karras_sigmas and the like
  return settings(discrete_preconditioner(fields, true), {.sampler = EulerAncestral{}}, levels);
}

SchedulerSettings heun(const Fields& fields) {
  const Levels levels = levels_of(fields, LevelGrid::real_timesteps, "linspace");
  return settings(discrete_preconditioner(fields, false, 0.00085, 0.012),
                  {.sampler = Heun{}, .limit = estimate_limit(fields, true, false, false)}, levels);
}

SchedulerSettings kdpm2(const Fields& fields) {
  Levels levels = levels_of(fields, LevelGrid::real_timesteps, "linspace");
  if (levels.settings.spacing == Spacing::karras) levels.rounding = TimestepRounding::nearest;
  return settings(discrete_preconditioner(fields, false, 0.00085, 0.012), {.sampler = Dpm2{}}, levels);
}

SchedulerSettings lms(const Fields& fields) {
  return settings(discrete_preconditioner(fields, false), {.sampler = Lms{}},
                  levels_of(fields, LevelGrid::real_timesteps, "linspace"));
}

SchedulerSettings edm_euler(const Fields& fields) {
  return settings(edm_preconditioner(fields), {.sampler = Euler{}}, edm_levels(fields));
}

}  // namespace

Preconditioner edm_preconditioner(const Fields& fields) {
  constexpr double kMost = std::numeric_limits<double>::max(), kLeast = std::numeric_limits<double>::min();
  constexpr std::array<std::string_view, 2> kPredictions{"epsilon", "v_prediction"};
  EdmProcess edm;
  edm.sigma_data = fields.number("sigma_data", edm.sigma_data, kLeast, kMost);
  edm.sigma_min = fields.number("sigma_min", edm.sigma_min, kLeast, kMost);
  edm.sigma_max = fields.number("sigma_max", edm.sigma_max, kLeast, kMost);
  edm.negated = fields.choice("prediction_type", "epsilon", kPredictions) == 1;
  return Preconditioner(edm);
}

Levels edm_levels(const Fields& fields) {
  constexpr std::array<std::string_view, 2> kSchedules{"karras", "exponential"};
  Levels l{.initial_std = InitialStd::with_data};
  l.settings.grid = LevelGrid::real_timesteps;
  l.settings.spacing =
      fields.choice("sigma_schedule", "karras", kSchedules) == 0 ? Spacing::karras : Spacing::exponential;
  l.settings.rho = fields.number("rho", 7, 1, std::numeric_limits<double>::max());
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
