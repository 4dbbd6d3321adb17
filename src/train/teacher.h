#pragma once

// The model that consistency tuning starts from.

#include "data/dataset.h"
#include "diffusion/model.h"
#include "train/config.h"

namespace diffusion {

// How it is tuned if nobody says otherwise. Network, objective and classes are its own; a budget is missing.
TrainConfig tuning_config(const Model& teacher);

// Error(usage) saying what differs if it does not make images like those of the data set (their size, channels and
// classes), or if its objective is x0: c_skip = 0 leaves the consistency function without a fixed end, and tuning blurs.
void check_teacher(const Model& teacher, const Dataset& dataset);

}  // namespace diffusion
