#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <diffusion/dataset.h>
#include "eval/classifier.h"

namespace diffusion {

// What a network said of a data set is kept in `folder`, a directory for each pair, because real images are
// compared with again and again. The key is everything that decides the numbers: `network` (hash of its
// weights, CPU) and the fingerprint of the images. An entry that is damaged, or was made from something else,
// is computed again; a folder that cannot be written (or is empty: "") keeps nothing.
Extracted cached_features(const std::filesystem::path& folder, const std::string& network,
                          const Dataset& images, const std::function<Extracted()>& compute);

}  // namespace diffusion
