#pragma once

// diffusion eval --bits-per-dimension: its options.

#include <CLI/CLI.hpp>

namespace diffusion {

struct LikelihoodRequest {
  bool wanted = false;
  int images = 256;
};

// Adds --bits-per-dimension and --images.
void add_likelihood_options(CLI::App& app, LikelihoodRequest& request);

}  // namespace diffusion
