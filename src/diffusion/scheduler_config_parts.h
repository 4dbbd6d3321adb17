#pragma once

// What reading scheduler_config.json is made of: the classes of diffusers (one function each) and what they
// share. A field that changes the numbers is honored or refused, see parse_scheduler().

#include <optional>
#include <string_view>

#include "diffusion/scheduler_config.h"
#include "diffusion/scheduler_config_fields.h"

namespace diffusion::scheduler {

using Fields = SchedulerFields;

// Betas and prediction type, and rescale_betas_zero_snr of a class that has it.
Preconditioner discrete_preconditioner(const Fields& fields, bool has_zero_snr, double beta_start = 1e-4,
                                       double beta_end = 0.02);

// timestep_spacing, and which of its alternatives is in use instead.
LevelSettings levels(const Fields& fields, LevelConvention convention, std::string_view spacing);

// use_karras_sigmas and its alternatives; none: `otherwise`. Error(bad_input) if several are true.
Spacing spacing_in_use(const Fields& fields, Spacing otherwise);

// final_sigmas_type.
bool ends_at_sigma_min(const Fields& fields);

// clip_sample and thresholding, of a class that has them; `clips` is the default of the former.
EstimateLimit estimate_limit(const Fields& fields, bool has_clip, bool clips, bool has_threshold);

// With the default number of steps.
SchedulerSettings settings(Preconditioner preconditioner, SamplingRecipe sampling);

// scheduler_config_dpm.cpp
SchedulerSettings dpm_solver(const Fields& fields);
SchedulerSettings unipc(const Fields& fields);
SchedulerSettings deis(const Fields& fields);

// scheduler_config_flow.cpp
SchedulerSettings flow_match_euler(const Fields& fields);
SchedulerSettings flow_match_heun(const Fields& fields);
// null and 0: none.
std::optional<double> shift_terminal(const Fields& fields);
// Of DPM-Solver, UniPC and DEIS: a flow if use_flow_sigmas and prediction_type flow_prediction say so, else
// discrete.
Preconditioner dpm_preconditioner(const Fields& fields, bool has_zero_snr);

}  // namespace diffusion::scheduler
