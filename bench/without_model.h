#pragma once

// Pictures from linear measurements by who knows no pictures: what a model has to beat.

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <diffusion/image.h>
#include <diffusion/restore.h>

namespace diffusion {

using NamedPictures = std::pair<std::string, std::vector<Image>>;

// measurements: [N, M]. Of fewer pixels the bicubic enlargement (Keys 1981, a = -1/2), else what has the
// least total variation; of blurred pictures themselves, too.
std::vector<NamedPictures> without_model(const LinearOperator& a, std::span<const double> measurements,
                                         double sigma);

}  // namespace diffusion
