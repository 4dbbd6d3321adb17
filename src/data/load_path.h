#pragma once

#include <string>

#include "data/registry.h"

namespace diffusion {

// load_data() for a path: finds out what is there.
LoadedData load_path(const std::string& path, const DataOptions& options);

// The shard that the options ask for, in the form that they ask for.
Dataset part_in_form(Dataset whole, const DataOptions& options);

}  // namespace diffusion
