#pragma once

// What a run is of, before its first step: the whole configuration, the model that is trained, and whether a
// folder holds the same run already.

#include <filesystem>
#include <optional>
#include <string>

#include <diffusion/dataset.h>
#include "diffusion/model.h"
#include "train/checkpoint.h"
#include "train/config.h"

namespace diffusion {

// The configuration with what the data and the machine decide filled in: image size, channels, classes,
// precision. Errors as validate() and check_start().
TrainConfig completed_config(TrainConfig config, const Dataset& dataset, const std::optional<Model>& start);

// A new model of a completed configuration with random weights, or `start` as it is to be trained.
Model model_to_train(const TrainConfig& config, const Dataset& dataset, std::optional<Model> start);

// The state of a run before its first step.
TrainingState initial_state(const TrainConfig& config, const Dataset& dataset);

// Every field in which two JSON objects differ, as "batch (128 there, 64 here)"; empty if there is none.
std::string differences(const Json& there, const Json& here);

// Error(usage) naming every difference, unless `found`, of a checkpoint of the folder `run`, is of the same
// configuration and data as `wanted`.
void check_same_run(const std::filesystem::path& run, const TrainConfig& config, const TrainingState& found,
                    const TrainingState& wanted);

}  // namespace diffusion
