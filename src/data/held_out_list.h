#pragma once

#include <filesystem>
#include <vector>

#include "data/idx_files.h"
#include "data/pixel_cache.h"
#include "data/sample_source.h"

namespace diffusion {

// The numbers of the images of a split, where a text file names the images that are held out, one in each
// line: from its own folder or from that of the images, in archives by member or key. Blank lines do not
// count, nor do lines that begin with '#'. Error(bad_input) for files that do not exist, for one that is
// named twice, and if no image would be in the split; Error(io) if the list cannot be read.
std::vector<int> images_of_split(const std::filesystem::path& list, Split split, const SampleSource& source,
                                 const SourceFacts& facts);

}  // namespace diffusion
