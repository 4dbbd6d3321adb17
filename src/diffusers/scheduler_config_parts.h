#pragma once

// What reading scheduler_config.json is made of: the classes of diffusers (one function each) and what they
// share. A field that changes the numbers is honored or refused, see parse_scheduler().

#include <optional>
#include <string_view>

#include "diffusers/levels.h"
#include "diffusers/scheduler_config.h"
#include "diffusers/scheduler_config_fields.h"

namespace diffusion::scheduler {

using Fields = SchedulerFields;

// Betas and prediction type, and rescale_betas_zero_snr of a class that has it. The others are defaults.
Preconditioner discrete_preconditioner(const Fields& fields, bool has_zero_snr, double beta_start = 1e-4,
                                       double beta_end = 0.02, std::string_view beta_schedule = "linear");

// Of a whole timestep; 2^40 for the infinity at the end of a schedule of zero terminal SNR.
double sigma_of_timestep(const NoiseSchedule& schedule, int timestep);

// timestep_spacing, and which of its alternatives is in use instead.
Levels levels_of(const Fields& fields, LevelGrid grid, std::string_view spacing);

// use_karras_sigmas and its alternatives; none: `otherwise`. Error(bad_input) if several are true.
Spacing spacing_in_use(const Fields& fields, Spacing otherwise);

// sigma_min and sigma_max, which diffusers heeds unless the spacing chooses timesteps.
void set_sigma_range(const Fields& fields, LevelSettings& settings);

// final_sigmas_type.
bool ends_at_sigma_min(const Fields& fields);

// clip_sample and thresholding, of a class that has them; `clips` is the default of the former.
EstimateLimit estimate_limit(const Fields& fields, bool has_clip, bool clips, bool has_threshold);

// With the default number of steps, and these levels if it has none.
SchedulerSettings settings(Preconditioner preconditioner, SamplingRecipe sampling, const Levels& levels = {});

// Of the solvers over log sigma, scheduler_config_dpm.cpp.
// Levels of a model with timesteps, whose network is told whole timesteps; or those of a flow.
Levels levels_of_family(const Fields& fields, const Preconditioner& preconditioner, Levels of_table);
void clip_lambda(const Fields& fields, const Preconditioner& preconditioner,
                 Levels& levels);  // lambda_min_clipped
// They add no variance of their own; configurations made from a DDPM's carry that of the DDPM.
// Error(bad_input) for a variance that the network would have to tell.
void only_fixed_variance(const Fields& fields);
bool solver_is_heun(const Fields& fields);               // solver_type of DPM-Solver
Sampler dpmpp_or_its_sde(const Dpmpp& dpmpp, bool sde);  // order 1 is ddim, or ddpm on the SDE

SchedulerSettings dpm_solver(const Fields& fields);
SchedulerSettings unipc(const Fields& fields);
SchedulerSettings deis(const Fields& fields);

// diffusers/solvers.cpp
SchedulerSettings dpm_solver_singlestep(const Fields& fields);
SchedulerSettings edm_dpm_solver(const Fields& fields);
SchedulerSettings sa_solver(const Fields& fields);

// diffusers/few_steps.cpp
SchedulerSettings lcm(const Fields& fields);
SchedulerSettings tcd(const Fields& fields);

// diffusers/ddim_inverse.cpp and diffusers/ipndm.cpp
SchedulerSettings ddim_inverse(const Fields& fields);
SchedulerSettings ipndm(const Fields& fields);

// sigma_data, sigma_min, sigma_max and prediction_type of EDM's schedulers; sigma_schedule, rho and
// final_sigmas_type.
Preconditioner edm_preconditioner(const Fields& fields);
Levels edm_levels(const Fields& fields);

// scheduler_config_flow.cpp
SchedulerSettings flow_match_euler(const Fields& fields);
SchedulerSettings flow_match_heun(const Fields& fields);
// null and 0: none.
std::optional<double> shift_terminal(const Fields& fields);
// Of DPM-Solver, UniPC and DEIS: a flow if use_flow_sigmas and prediction_type flow_prediction say so, else
// discrete.
Preconditioner dpm_preconditioner(const Fields& fields, bool has_zero_snr);

}  // namespace diffusion::scheduler
