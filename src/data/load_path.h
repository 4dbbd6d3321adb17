#pragma once

#include <array>
#include <string>

#include "data/data_options.h"

namespace diffusion {

// load_data() for a path: finds out what is there.
LoadedData load_path(const std::string& path, const DataOptions& options);

// Height and width of the first image there that can be read, without reading the others. Errors as
// load_data().
std::array<int, 2> first_image_size(const std::string& path);

// Error(usage) for options that go by the names of images: those of `data` have none.
void refuse_names(const DataOptions& options, const std::string& data);

// The shard that the options ask for, in the form that they ask for.
Dataset part_in_form(Dataset whole, const DataOptions& options);

}  // namespace diffusion
