#include <array>
#include <limits>

#include "diffusers/scheduler_config_parts.h"

namespace diffusion::scheduler {

namespace {

Preconditioner flow_of(const Fields& fields) {
  RectifiedFlow flow;
  flow.num_train_timesteps = fields.whole_number("num_train_timesteps", 1000, 3, 1'000'000);
  return Preconditioner(flow);
}

// How far the times of the two are shifted.
Levels flow_match_levels(const Fields& fields) {
  return {.settings = {.spacing = Spacing::linspace,
                       .grid = LevelGrid::real_timesteps,
                       .shift = fields.number("shift", 1, std::numeric_limits<double>::min(), 1e6)}};
}

}  // namespace

SchedulerSettings flow_match_euler(const Fields& fields) {
  Levels levels = flow_match_levels(fields);
  fields.only_flag("use_dynamic_shifting", false);  // the caller would have to say by how much
  fields.only_flag("invert_sigmas", false);
  fields.only_flag("stochastic_sampling", false);
  levels.settings.spacing = spacing_in_use(fields, Spacing::linspace);
  levels.settings.shift_terminal = shift_terminal(fields);
  return settings(flow_of(fields), {.sampler = Euler{}}, levels);
}

SchedulerSettings flow_match_heun(const Fields& fields) {
  return settings(flow_of(fields), {.sampler = FlowHeun{}}, flow_match_levels(fields));
}

std::optional<double> shift_terminal(const Fields& fields) {
  const Json* value = fields.find("shift_terminal");
  if (!value || value->is_null()) return std::nullopt;
  const double found = fields.number("shift_terminal", 0, 0, 1 - std::numeric_limits<double>::epsilon());
  return found == 0 ? std::nullopt : std::optional(found);  // 0 is false in Python
}

Preconditioner dpm_preconditioner(const Fields& fields, bool has_zero_snr) {
  if (!fields.flag("use_flow_sigmas", false)) return discrete_preconditioner(fields, has_zero_snr);
  constexpr std::array<std::string_view, 1> kFlow{"flow_prediction"};
  fields.choice("prediction_type", "epsilon", kFlow);
  for (const char* other :
       {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas"})
    if (const Json* value = fields.find(other); value && !value->is_null()) fields.only_flag(other, false);
  return flow_of(fields);
}

}  // namespace diffusion::scheduler
