#pragma once

// Answers of the own interface (own_api.cpp) that have files of their own.

#include <string>

#include "serve/services.h"

namespace diffusion::serve {

// Models, samplers and limits.
Json capabilities(const Services& services);

// The forward process on an uploaded picture, as `diffusion noise` has it by default, and the command that
// makes the same.
Json noise(const Services& services, const std::string& body);

// "/diffusion/v1/runs" and below: trainings in the folder of --runs. ApiError 404 without one.
void answer_runs(Services& services, const Exchange& exchange);

}  // namespace diffusion::serve
