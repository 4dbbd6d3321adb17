#pragma once

#include <cstdint>
#include <filesystem>

#include <diffusion/image.h>
#include "data/sample_source.h"

namespace diffusion {

// Error(bad_input) if it is broken, Error(io) if it cannot be read.
Image decode_sample(const Sample& sample);

// Decodes all samples of a source into a new cache file. Errors as prepare_images(), which is the way to call
// it.
void decode_samples(const SampleSource& source, const PrepareOptions& options,
                    const std::filesystem::path& cache, std::uint64_t signature);

}  // namespace diffusion
