#pragma once

// diffusion eval --bits-per-dimension: options, work and output.

#include <CLI/CLI.hpp>
#include <string_view>

#include "eval/likelihood.h"
#include "formats/json.h"

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

// Lines on stdout. `data` is what to call the images.
void print_likelihood(const BitsPerDimension& bits, std::string_view data);
Json to_json(const BitsPerDimension& bits);

}  // namespace diffusion
