#pragma once

// A trained model that a run starts from, for training it further or tuning it for few steps; or a text
// encoder alone, which stays as it is.

#include <string>

#include <diffusion/dataset.h>
#include "diffusers/text_encoder_files.h"
#include "diffusion/model.h"
#include "train/config.h"

namespace diffusion {

// SHA-256 of everything that decides what the model computes: network, weights, and what its numbers mean.
// The same for files of the same weights in another form.
std::string fingerprint_of(const Model& model);

// `config` with the network, objective, classes and limits of `model`, from whose weights it starts. Where
// `config` has a size for the images, it is the model's.
TrainConfig starting_from(const Model& model, TrainConfig config);

// The same of what a text encoder computes.
std::string fingerprint_of(const TextEncoder& text_encoder);

// `config` with this text encoder, which is not trained, and a U-Net that sees words of its width.
// Error(usage) if the network knows no words.
TrainConfig with_text_encoder(const TextEncoder& text_encoder, TrainConfig config);

// How a model is tuned for few steps if nobody says otherwise. A budget is missing.
TrainConfig tuning_config(const Model& teacher);

// Error(usage) saying what differs if `model` does not make images like those of the data set (their
// channels, classes, and size, unless `config` asks for that size); if it is to be tuned for few steps and
// its objective is x0: c_skip = 0 leaves the consistency function without a fixed end, and tuning blurs; or
// if it was tuned for few steps and is to be trained as usual.
void check_start(const TrainConfig& config, const Model& model, const Dataset& dataset);

}  // namespace diffusion
