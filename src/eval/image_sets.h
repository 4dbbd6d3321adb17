#pragma once

// Images to evaluate, from where they are to data sets.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <diffusion/dataset.h>
#include <diffusion/image.h>

namespace diffusion {

// A .npy file of uint8 [N, H, W, C], or [N, H, W] for gray. Error(bad_input) naming the file for anything
// else.
Dataset read_image_array(const std::filesystem::path& path);

Image image_of(const Dataset& data, int number);

// A copy of the images of `data` with these numbers, in this order; labels stay with them, captions do not.
Dataset some_images(const Dataset& data, std::span<const int> numbers);

// The same pictures with other sides (pictures/resize.h), labels and all; as they are if these are theirs.
Dataset resized(const Dataset& data, int height, int width);

// `count` images of `data` without replacement, 1 <= count <= data.count(), chosen by `seed`. Labels stay
// with them.
Dataset random_images(const Dataset& data, int count, std::uint64_t seed);

// For each of `names` which of `class_names` it means: the one called so, or the only one of which letters
// and digits agree, whatever their case (a folder cannot be called "T-shirt/top", but "t-shirt top"), or that
// of this number. None if a name means none of these, or there are no names.
std::optional<std::vector<std::uint16_t>> class_numbers(const std::vector<std::string>& names,
                                                        const std::vector<std::string>& class_names);

// The same images with labels that are indices into `class_names`, by class_numbers(); none without labels.
std::optional<Dataset> relabeled(Dataset data, const std::vector<std::string>& class_names);

}  // namespace diffusion
