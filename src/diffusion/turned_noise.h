#pragma once

#include <cstddef>
#include <vector>

#include <diffusion/generate.h>
#include <diffusion/sampling.h>

namespace diffusion {

// The noise of one image of `size` numbers, GenerateOptions::first of its seed: draw 0 is where it starts.
NoiseSource noise_of_one(const GenerateOptions& image, std::size_t size);

// The noise of images each its share of the way `from` one `to` another, every draw by slerp(): 0 and 1 are
// these themselves.
NoiseSource turned_noise(NoiseSource from, NoiseSource to, std::vector<double> shares, std::size_t size);

}  // namespace diffusion
