#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace diffusion {

// A file of weights of Inception-v3, for tests.
struct InceptionTensor {
  std::vector<std::int64_t> dims;
  std::vector<float> values = {};
};
using InceptionTensors = std::map<std::string, InceptionTensor>;

// Names and shapes; all values are zero, which makes a network whose features are all zero.
InceptionTensors zero_inception_tensors();

// Returns `path`.
std::filesystem::path write_inception_tensors(const InceptionTensors& tensors,
                                              const std::filesystem::path& path);

}  // namespace diffusion
