#include "diffusers/scheduler_config.h"

#include "diffusers/scheduler_config_names.h"

namespace diffusion {

Json scheduler_to_json(const Preconditioner& preconditioner, bool clips) {
  Json::Object o;
  o["_diffusers_version"] = "0.30.3";
  const NoiseSchedule* schedule = preconditioner.schedule();
  if (const auto* flow = preconditioner.as<RectifiedFlow>()) {
    o["_class_name"] = "FlowMatchEulerDiscreteScheduler";
    o["num_train_timesteps"] = flow->num_train_timesteps;
    o["shift"] = 1.0;
    o["shift_terminal"] = nullptr;
    o["use_dynamic_shifting"] = false;
    o["invert_sigmas"] = false;
    o["stochastic_sampling"] = false;
    return o;
  }
  if (const auto* edm = preconditioner.as<EdmProcess>()) {
    o["_class_name"] = "EDMEulerScheduler";
    o["sigma_data"] = edm->sigma_data;
    o["sigma_min"] = edm->sigma_min;
    o["sigma_max"] = edm->sigma_max;
    o["sigma_schedule"] = "karras";
    o["rho"] = 7.0;
    o["num_train_timesteps"] = 1000;
    o["prediction_type"] = edm->negated ? "v_prediction" : "epsilon";
    return o;
  }
  o["_class_name"] = "DDPMScheduler";
  o["num_train_timesteps"] = schedule->num_train_timesteps;
  o["beta_start"] = schedule->beta_start;
  o["beta_end"] = schedule->beta_end;
  for (const BetaScheduleName& row : kBetaScheduleNames)
    if (row.kind == schedule->kind) o["beta_schedule"] = row.diffusers;
  for (const PredictionTypeName& row : kPredictionTypeNames)
    if (row.objective == preconditioner.objective()) o["prediction_type"] = row.diffusers;
  o["clip_sample"] = clips;
  o["clip_sample_range"] = 1.0;
  o["variance_type"] = "fixed_small";
  o["timestep_spacing"] = "trailing";  // few steps then start from pure noise, as in training
  o["rescale_betas_zero_snr"] = schedule->zero_terminal_snr;
  o["steps_offset"] = 0;
  o["thresholding"] = false;
  o["trained_betas"] = nullptr;
  return o;
}

SamplingRecipe sampling_of_new_model(const Preconditioner& preconditioner, bool clips) {
  SamplingRecipe recipe = parse_scheduler(scheduler_to_json(preconditioner, clips), "a new model").sampling;
  if (clips) recipe.limit.kind = EstimateLimit::Kind::clip;
  return recipe;
}

}  // namespace diffusion
