#pragma once

// scheduler_config.json of diffusers: what the network's numbers mean, and how its scheduler would sample.

#include <string>
#include <string_view>

#include "diffusion/precondition.h"
#include "diffusion/sampling_recipe.h"
#include "formats/json.h"

namespace diffusion {

struct SchedulerSettings {
  Preconditioner preconditioner;
  SamplingRecipe sampling;  // with the default number of steps
};

// DDPMScheduler for epsilon, v and x0, EDMEulerScheduler for edm, FlowMatchEulerDiscreteScheduler for flow;
// the last two have no place for `clips`, which limits D to [-1, 1].
Json scheduler_to_json(const Preconditioner& preconditioner, bool clips);

// How a model is sampled that has no file yet: as that file will be read, D limited for every process.
SamplingRecipe sampling_of_new_model(const Preconditioner& preconditioner, bool clips);

// Reads the configuration of DDPM-, DDIM-, PNDM-, EulerDiscrete-, EulerAncestralDiscrete-, HeunDiscrete-,
// KDPM2Discrete-, LMSDiscrete-, DPMSolverMultistep-, UniPCMultistep-, DEISMultistep-, DPMSolverSinglestep-,
// SASolver-, LCM-, TCD-, DDIMInverse-, IPNDM-, EDMEuler-, EDMDPMSolverMultistep-, FlowMatchEulerDiscrete- and
// FlowMatchHeunDiscreteScheduler, as diffusers does: a field that is absent or named in _use_default_values
// has its class's default, one that the class does not have is ignored. Every other field is honored, or
// Error(bad_input) names source and field. docs/samplers.md has the list.
SchedulerSettings parse_scheduler(const Json& json, std::string_view source);

}  // namespace diffusion
