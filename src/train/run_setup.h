#pragma once

// What a run is of, before its first step: the whole configuration, the model that is trained, and whether a
// folder holds the same run already.

#include <filesystem>
#include <optional>
#include <string>

#include <diffusion/dataset.h>
#include "diffusers/text_encoder_files.h"
#include "diffusion/model.h"
#include "train/checkpoint.h"
#include "train/config.h"

namespace diffusion {

// What a run is made of. The configuration is whole: with what the data and the machine decide (image size,
// channels, classes, vocabulary, precision). The model has random weights, or those of `start`.
struct RunSetup {
  TrainConfig config;
  Model model;
};

// Errors as validate() and check_start(), and Error(usage) for a network of words without captions.
// `text_encoder` is that of with_text_encoder(), or none.
RunSetup set_up_run(TrainConfig config, const Dataset& dataset, std::optional<Model> start,
                    std::optional<TextEncoder> text_encoder = {});

// The state of a run before its first step.
TrainingState initial_state(const TrainConfig& config, const Dataset& dataset);

// Every field in which two JSON objects differ, as "batch (128 there, 64 here)"; empty if there is none.
std::string differences(const Json& there, const Json& here);

// Error(usage) naming every difference, unless `found`, of a checkpoint of the folder `run`, is of the same
// configuration and data as `wanted`.
void check_same_run(const std::filesystem::path& run, const TrainConfig& config, const TrainingState& found,
                    const TrainingState& wanted);

}  // namespace diffusion
