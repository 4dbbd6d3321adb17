#pragma once

#include <string_view>

#include <diffusion/train.h>
#include "train/config_fields.h"

namespace diffusion {

// The field of that name. Error(usage) listing the names if there is none.
const TrainField& find_field(std::string_view name);

// Error(usage) naming the field, what was found and what is accepted if it cannot hold the value. Ranges are
// validate()'s.
void set_field(const TrainField& field, const TrainValue& value, TrainConfig& config);

}  // namespace diffusion
