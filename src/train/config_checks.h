#pragma once

// A whole training configuration, field by field: what a run records of it, and what is refused.

#include "formats/json.h"
#include "train/config.h"

namespace diffusion {

// The choices that must agree for a run to be resumed, as a flat JSON object.
Json to_json(const TrainConfig& config);

// What an older version saved as the configuration of a run, completed for a comparison with to_json(config):
// fields that came later have the value that all runs had before.
Json with_later_fields(Json saved, const TrainConfig& config);

// Error(usage) naming the field, what was found and what is accepted.
void validate(const TrainConfig& config);

}  // namespace diffusion
