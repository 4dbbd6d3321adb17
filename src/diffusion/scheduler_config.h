#pragma once

// scheduler_config.json of diffusers: what the network's numbers mean, and how its scheduler would sample.

#include <string>
#include <string_view>

#include "diffusion/guidance.h"
#include "diffusion/precondition.h"
#include "diffusion/samplers.h"
#include "diffusion/spacings.h"
#include "formats/json.h"

namespace diffusion {

// The scheduler's own way to sample. The number of steps is not part of it.
struct SamplingSettings {
  std::string sampler = "ddim";
  LevelSettings levels = {};
  DdpmVariance variance = DdpmVariance::posterior;  // if sampler is ddpm
  // Of the samplers over log sigma; see SamplerOptions.
  bool lower_order_final = true, euler_at_final = false, heun = false, bh1 = false;
  EstimateLimit limit = {};
  bool limit_spares_noise =
      false;  // if sampler is ddim: limit is SamplerOptions::limit, not one of the denoiser
};

struct SchedulerSettings {
  Preconditioner preconditioner;
  bool clip_x0;  // sampling.limit.kind is clip
  SamplingSettings sampling;
};

// DDPMScheduler for epsilon, v and x0, EDMEulerScheduler for edm, FlowMatchEulerDiscreteScheduler for flow;
// the last two have no place for clip_x0.
Json scheduler_to_json(const Preconditioner& preconditioner, bool clip_x0);

// Reads the configuration of DDPM-, DDIM-, PNDM-, EulerDiscrete-, EulerAncestralDiscrete-, HeunDiscrete-,
// KDPM2Discrete-, LMSDiscrete-, DPMSolverMultistep-, UniPCMultistep-, DEISMultistep-, EDMEuler-,
// FlowMatchEulerDiscrete- and FlowMatchHeunDiscreteScheduler, as diffusers does: a field that is absent or
// named in _use_default_values has its class's default, one that the class does not have is ignored. Every
// other field is honored, or Error(bad_input) names source and field. docs/samplers.md has the list.
SchedulerSettings parse_scheduler(const Json& json, std::string_view source);

}  // namespace diffusion
