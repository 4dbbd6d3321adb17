#pragma once

#include "formats/json_fields.h"

namespace diffusion {

// The fields of a scheduler_config.json.
using SchedulerFields = JsonFields;

}  // namespace diffusion
