#pragma once

// What `diffusion eval --bits-per-dimension` found, as text and as JSON.

#include <string_view>

#include "eval/likelihood.h"
#include "formats/json.h"

namespace diffusion {

// Lines on stdout. `data` is what to call the images.
void print_likelihood(const BitsPerDimension& bits, std::string_view data);
Json to_json(const BitsPerDimension& bits);

}  // namespace diffusion
