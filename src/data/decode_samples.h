#pragma once

#include <cstdint>
#include <filesystem>

#include "data/prepare.h"

namespace diffusion {

// Decodes all samples of a source into a new cache file. Errors as prepare_images(), which is the way to call it.
void decode_samples(const SampleSource& source, const PrepareOptions& options,
                    const std::filesystem::path& cache, std::uint64_t signature);

}  // namespace diffusion
