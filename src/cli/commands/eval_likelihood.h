#pragma once

// diffusion eval --bits-per-dimension: options and work.

#include <CLI/CLI.hpp>

#include "eval/likelihood.h"

namespace diffusion {

struct LikelihoodRequest {
  bool wanted = false;
  int images = 256;
};

// Adds --bits-per-dimension and --images.
void add_likelihood_options(CLI::App& app, LikelihoodRequest& request);

// Of request.images of `data` at random, of all if there are fewer. Progress goes to stderr. `device` should
// compute in f32.
BitsPerDimension evaluate_likelihood(Model& model, const Dataset& data, const Device& device,
                                     const LikelihoodRequest& request, bool quiet);

}  // namespace diffusion
