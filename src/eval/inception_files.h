#pragma once

#include <filesystem>
#include <string>

#include "plan/param_store.h"

namespace diffusion {

struct InceptionNetwork {
  ParamStore params;   // of make_inception_graph()
  std::string sha256;  // of the file
};

// The weights of the TensorFlow graph of 2015-12-05, as a .safetensors file with the names of pytorch-fid and
// torch-fidelity (docs/evaluation.md says how to make it): of each convolution NAME.conv.weight [out, in,
// height, width], and of its batch normalization (epsilon 0.001) NAME.bn.weight, .bias, .running_mean and
// .running_var [out], and fc.weight [1008, 2048] and fc.bias [1008], which are checked and not used.
// NAME.bn.num_batches_tracked may be there. Error(bad_input) naming file and tensor for anything else, and
// for torchvision's own weights, which have fc.weight [1000, 2048]; Error(io) if there is no file.
InceptionNetwork read_inception(const std::filesystem::path& path);

}  // namespace diffusion
