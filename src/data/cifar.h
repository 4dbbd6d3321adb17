#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include <diffusion/dataset.h>
#include "data/idx_files.h"

namespace diffusion {

// CIFAR-10 in its binary version (Krizhevsky 2009): data_batch_1.bin to data_batch_5.bin and test_batch.bin,
// each 10,000 records of a label byte, 0 to 9, and 32 x 32 pixels as three planes, red, green, blue.
inline constexpr const char* kCifar10Archive = "cifar-10-binary.tar.gz";

// The classes, in the order of their labels: airplane, automobile, bird, cat, deer, dog, frog, horse, ship,
// truck.
std::span<const std::string> cifar10_class_names();

// Reads the split from a folder that holds the .bin files, the folder cifar-10-batches-bin with them, or the
// published archive. Nothing if none of these is there. Error(bad_input) naming the file for a missing file,
// a wrong size, or a label above 9. `images_per_file` is for tests.
std::optional<Dataset> read_cifar10(const std::filesystem::path& folder, Split split,
                                    std::size_t images_per_file = 10'000);

// The same from the archive, whatever its name.
Dataset read_cifar10_archive(const std::filesystem::path& archive, Split split,
                             std::size_t images_per_file = 10'000);

// Error(bad_input) that says what to get instead, if a folder holds CIFAR-10's Python version, or a file is
// it: it is not read, because reading a pickle means running it.
void refuse_python_cifar10(const std::filesystem::path& folder);
void refuse_python_cifar10_file(const std::filesystem::path& path);

// What is looked for, for messages.
std::string describe_cifar10(Split split);

}  // namespace diffusion
