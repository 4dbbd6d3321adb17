#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "diffusers/scheduler_config_parts.h"

namespace diffusion::scheduler {

Levels levels_of_family(const Fields& fields, const Preconditioner& preconditioner, Levels of_table) {
  if (preconditioner.as<RectifiedFlow>())
    return {.settings = {.spacing = Spacing::linspace,
                         .grid = of_table.settings.grid,
                         .shift = fields.number("flow_shift", 1, std::numeric_limits<double>::min(), 1e6)},
            .rounding = TimestepRounding::down};
  const Spacing spacing = *of_table.settings.spacing;
  if (spacing == Spacing::karras) of_table.rounding = TimestepRounding::nearest;
  if (spacing == Spacing::exponential || spacing == Spacing::beta) of_table.rounding = TimestepRounding::down;
  return of_table;
}

// -log sigma is at least lambda_min_clipped at the timesteps; diffusers asks it of no other spacing.
void clip_lambda(const Fields& fields, const Preconditioner& preconditioner, Levels& levels) {
  const Json* clipped = fields.find("lambda_min_clipped");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double lambda_min = clipped ? to_double(*clipped, fields.where("lambda_min_clipped")) : -kInfinity;
  if (std::isnan(lambda_min) || lambda_min == kInfinity)
    throw Error(ErrorKind::bad_input, fmt::format("{} is {}; accepted are -Infinity and finite numbers.",
                                                  fields.where("lambda_min_clipped"), lambda_min));
  if (lambda_min == -kInfinity || !needs_timesteps(*levels.settings.spacing)) return;
  const std::vector<double>& sigmas = preconditioner.schedule()->sigmas;
  const auto clipped_from =
      std::ranges::find_if(sigmas, [&](double sigma) { return -std::log(sigma) < lambda_min; });
  levels.settings.sigma_max = clipped_from == sigmas.begin() ? 0 : clipped_from[-1];
}

void only_fixed_variance(const Fields& fields) {
  constexpr std::array<std::string_view, 4> kVariances{"fixed_small", "fixed_small_log", "fixed_large",
                                                       "fixed_large_log"};
  if (const Json* variance = fields.find("variance_type"); variance && !variance->is_null())
    fields.choice("variance_type", "fixed_small", kVariances);
}

bool solver_is_heun(const Fields& fields) {
  constexpr std::array<std::string_view, 5> kSolvers{"midpoint", "heun", "logrho", "bh1",
                                                     "bh2"};  // the last three are midpoint in diffusers
  return fields.choice("solver_type", "midpoint", kSolvers) == 1;
}

namespace {

// What DPM-Solver, UniPC and DEIS have in common.
std::pair<Levels, SamplingRecipe> dpm_solver_family(const Fields& fields,
                                                    const Preconditioner& preconditioner, LevelGrid grid) {
  const Levels levels = levels_of_family(fields, preconditioner, levels_of(fields, grid, "linspace"));
  const EstimateLimit limit = estimate_limit(fields, false, false, true);
  fields.only_flag("use_dynamic_shifting", false);
  return {levels, SamplingRecipe{.limit = limit}};
}

}  // namespace

Sampler dpmpp_or_its_sde(const Dpmpp& dpmpp, bool sde) {
  if (dpmpp.values == 1) return sde ? Sampler(Ddpm{}) : Sampler(Ddim{});
  if (!sde) return dpmpp;
  return DpmppSde{.values = dpmpp.values,
                  .lower_order_final = dpmpp.lower_order_final,
                  .euler_at_final = dpmpp.euler_at_final,
                  .heun = dpmpp.heun};
}

SchedulerSettings dpm_solver(const Fields& fields) {
  Preconditioner preconditioner = dpm_preconditioner(fields, true);
  auto [levels, s] = dpm_solver_family(fields, preconditioner, LevelGrid::with_end);
  constexpr std::array<std::string_view, 2> kAlgorithms{"dpmsolver++", "sde-dpmsolver++"};
  const Dpmpp dpmpp{.values = fields.whole_number("solver_order", 2, 1, 3),
                    .lower_order_final = fields.flag("lower_order_final", true),
                    .euler_at_final = fields.flag("euler_at_final", false),
                    .heun = solver_is_heun(fields)};
  s.sampler = dpmpp_or_its_sde(dpmpp, fields.choice("algorithm_type", "dpmsolver++", kAlgorithms) == 1);
  only_fixed_variance(fields);
  if (preconditioner.as<RectifiedFlow>()) {
    fields.only_text("final_sigmas_type",
                     "zero");  // sigma_min would be that of the betas, which a flow does not have
    return settings(std::move(preconditioner), std::move(s), levels);
  }
  levels.ends_at_sigma_min = ends_at_sigma_min(fields);
  const Json* lu = fields.find("use_lu_lambdas");
  if (lu && to_bool(*lu, fields.where("use_lu_lambdas")) && levels.settings.spacing == levels.range) {
    levels.settings.spacing = Spacing::exponential;  // the same levels
    levels.rounding = TimestepRounding::nearest;
  }
  clip_lambda(fields, preconditioner, levels);
  if (levels.rounding == TimestepRounding::nearest && preconditioner.schedule()->kind == ScheduleKind::cosine)
    levels.rounding = TimestepRounding::down;
  return settings(std::move(preconditioner), std::move(s), levels);
}

SchedulerSettings unipc(const Fields& fields) {
  Preconditioner preconditioner = dpm_preconditioner(fields, true);
  auto [levels, s] = dpm_solver_family(fields, preconditioner, LevelGrid::with_end_from_noise);
  constexpr std::array<std::string_view, 5> kSolvers{"bh2", "bh1", "midpoint", "heun",
                                                     "logrho"};  // the last three are bh2 in diffusers
  s.sampler = Unipc{.values = fields.whole_number("solver_order", 2, 2, 3),
                    .lower_order_final = fields.flag("lower_order_final", true),
                    .bh1 = fields.choice("solver_type", "bh2", kSolvers) == 1};
  fields.only_flag("predict_x0", true);
  fields.only_null("solver_p");
  if (preconditioner.as<RectifiedFlow>())
    levels.settings.shift_terminal = shift_terminal(fields);
  else
    fields.only_null("shift_terminal");
  if (const Json* steps = fields.find("disable_corrector");
      steps && !to_array(*steps, fields.where("disable_corrector")).empty())
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is not supported; accepted is [].", fields.where("disable_corrector")));
  set_sigma_range(fields, levels.settings);
  levels.ends_at_sigma_min = ends_at_sigma_min(fields);
  return settings(std::move(preconditioner), std::move(s), levels);
}

SchedulerSettings deis(const Fields& fields) {
  Preconditioner preconditioner = dpm_preconditioner(fields, false);
  auto [levels, s] = dpm_solver_family(fields, preconditioner, LevelGrid::with_end);
  constexpr std::array<std::string_view, 3> kAlgorithms{"deis", "dpmsolver",
                                                        "dpmsolver++"};  // all deis in diffusers
  constexpr std::array<std::string_view, 5> kSolvers{"logrho", "midpoint", "heun", "bh1",
                                                     "bh2"};  // all logrho
  const Deis deis{.values = fields.whole_number("solver_order", 2, 1, 3),
                  .lower_order_final = fields.flag("lower_order_final", true)};
  s.sampler = deis.values == 1 ? Sampler(Ddim{}) : Sampler(deis);
  fields.choice("algorithm_type", "deis", kAlgorithms);
  fields.choice("solver_type", "logrho", kSolvers);
  levels.ends_at_sigma_min = true;
  return settings(std::move(preconditioner), std::move(s), levels);
}

}  // namespace diffusion::scheduler
