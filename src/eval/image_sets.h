#pragma once

// Images to evaluate, from where they are to data sets.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "data/dataset.h"
#include "io/image.h"

namespace diffusion {

// Without labels. Error(usage) for none, and for images of different sizes or channels.
Dataset dataset_of(std::span<const Image> images, std::string name);

// A .npy file of uint8 [N, H, W, C], or [N, H, W] for gray. Error(bad_input) naming the file for anything else.
Dataset read_image_array(const std::filesystem::path& path);

// `count` images of `data` without replacement, 1 <= count <= data.count(), chosen by `seed`. Labels stay with them.
Dataset random_images(const Dataset& data, int count, std::uint64_t seed);

}  // namespace diffusion
