// DPM-Solver in single steps and for EDM, and SA-Solver.

#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "diffusers/scheduler_config_parts.h"

namespace diffusion::scheduler {

namespace {

// algorithm_type, "deis" being dpmsolver++ in diffusers.
bool is_sde(const Fields& fields) {
  constexpr std::array<std::string_view, 3> kAlgorithms{"dpmsolver++", "sde-dpmsolver++", "deis"};
  return fields.choice("algorithm_type", "dpmsolver++", kAlgorithms) == 1;
}

// The levels at which a network is told a timestep from 200 to 800, where SA-Solver of diffusers adds noise
// unless a function is given to it.
struct SigmaRange {
  double lowest, highest;
};

SigmaRange told_200_to_800(const Preconditioner& preconditioner, TimestepRounding rounding) {
  const bool down = rounding == TimestepRounding::down;
  const double first = rounding == TimestepRounding::nearest ? 199.5 : 200;
  const double last = rounding == TimestepRounding::nearest ? 800.5 : down ? 801 : 800;
  const double highest_share = down ? 1 - std::numeric_limits<double>::epsilon() : 1;  // less than 801
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (const auto* flow = preconditioner.as<RectifiedFlow>()) {
    const double T = flow->num_train_timesteps;
    const auto sigma = [&](double t) { return t < T ? t / (T - t) : kInfinity; };
    return {sigma(first), sigma(last) * highest_share};
  }
  const NoiseSchedule& schedule = *preconditioner.schedule();
  const auto sigma = [&](double t) {
    const int below = int(t);
    if (t > schedule.num_train_timesteps - 1) return kInfinity;
    if (t == below) return schedule.sigma(below);
    return std::sqrt(schedule.sigma(below) * schedule.sigma(below + 1));
  };
  return {sigma(first), sigma(last) * highest_share};
}

}  // namespace

SchedulerSettings dpm_solver_singlestep(const Fields& fields) {
  Preconditioner preconditioner = dpm_preconditioner(fields, false);
  const Levels of_table{
      .settings = {.spacing = spacing_in_use(fields, Spacing::linspace), .grid = LevelGrid::with_end}};
  Levels levels = levels_of_family(fields, preconditioner, of_table);
  SamplingRecipe s{.limit = estimate_limit(fields, false, false, true)};
  const DpmppSinglestep dpmpp{.values = fields.whole_number("solver_order", 2, 1, 3),
                              .eta = is_sde(fields) ? 1.0 : 0.0,
                              .lower_order_final = fields.flag("lower_order_final", false),
                              .heun = solver_is_heun(fields)};
  if (dpmpp.values == 3 && dpmpp.heun && dpmpp.eta > 0)
    fields.only_text("solver_type", "midpoint");  // diffusers has the curvature with the wrong sign
  s.sampler = dpmpp;
  if (dpmpp.values == 1) s.sampler = dpmpp.eta > 0 ? Sampler(Ddpm{}) : Sampler(Ddim{});
  only_fixed_variance(fields);
  fields.only_flag("use_dynamic_shifting", false);
  if (preconditioner.as<RectifiedFlow>()) {
    fields.only_text("final_sigmas_type", "zero");  // sigma_min would be that of betas, which a flow lacks
  } else {
    levels.ends_at_sigma_min = ends_at_sigma_min(fields);
    clip_lambda(fields, preconditioner, levels);
  }
  return settings(std::move(preconditioner), std::move(s), levels);
}

SchedulerSettings edm_dpm_solver(const Fields& fields) {
  const bool sde = is_sde(fields);
  const Dpmpp dpmpp{.values = fields.whole_number("solver_order", 2, 1, sde ? 2 : 3),
                    .lower_order_final = fields.flag("lower_order_final", true),
                    .euler_at_final = fields.flag("euler_at_final", false),
                    .heun = solver_is_heun(fields)};
  return settings(
      edm_preconditioner(fields),
      {.sampler = dpmpp_or_its_sde(dpmpp, sde), .limit = estimate_limit(fields, false, false, true)},
      edm_levels(fields));
}

SchedulerSettings sa_solver(const Fields& fields) {
  Preconditioner preconditioner = dpm_preconditioner(fields, false);
  SamplingRecipe s{.limit = estimate_limit(fields, false, false, true)};
  Levels levels =
      levels_of_family(fields, preconditioner, levels_of(fields, LevelGrid::with_end, "linspace"));
  levels.ends_at_sigma_min = true;
  if (!preconditioner.as<RectifiedFlow>()) clip_lambda(fields, preconditioner, levels);
  fields.only_text("algorithm_type", "data_prediction");
  fields.only_null("tau_func");
  only_fixed_variance(fields);
  const SigmaRange noisy = told_200_to_800(preconditioner, levels.rounding);
  s.sampler = SaSolver{.predictor = fields.whole_number("predictor_order", 2, 1, 4),
                       .corrector = fields.whole_number("corrector_order", 2, 1, 4),
                       .s_tmin = noisy.lowest,
                       .s_tmax = noisy.highest,
                       .lower_order_final = fields.flag("lower_order_final", true)};
  return settings(std::move(preconditioner), std::move(s), levels);
}

}  // namespace diffusion::scheduler
