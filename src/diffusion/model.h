#pragma once

// A trained or freshly initialized diffusion model: network, weights, and what its numbers mean. On disk it is a
// diffusers pipeline directory:
//   model_index.json  unet/config.json  unet/diffusion_pytorch_model.safetensors  scheduler/scheduler_config.json
// plus diffusion.json with what diffusers has no place for (class names, the null class); diffusers ignores it. A network
// that diffusers does not have is refused by it, by the name in model_index.json.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/precondition.h"
#include "diffusion/scheduler_config.h"
#include "io/json.h"
#include "nn/network.h"
#include "plan/param_store.h"

namespace diffusion {

struct Model {
  NetworkConfig network;
  Preconditioner preconditioner;
  std::vector<std::string> class_names;  // empty: not class-conditional, or names unknown
  std::optional<int> null_class;  // the row of the class table that means "no class", if it was trained
  bool clip_x0 = true;            // limit D to [-1, 1] when sampling (clip_sample)
  ParamStore params;
  SamplingSettings sampling = {};  // what the scheduler of the files would do

  // Classes that a person may ask for; 0: not class-conditional.
  int class_count() const { return traits().num_class_embeds - (null_class ? 1 : 0); }

  NetworkTraits traits() const { return traits_of(network); }
};

// The parameters of a network, without memory for activations.
ParamLayout layout_of(const NetworkConfig& config);

// Writes the files into an existing directory, not atomically: callers use an AtomicDirectory. `weights` is a flat block
// in the layout of model.params (its EMA, say).
void write_pipeline(const std::filesystem::path& directory, const Model& model,
                    std::span<const float> weights);

// Reads a pipeline directory, sub-folders or flat. Error(bad_input) or Error(io) naming the file.
Model read_pipeline(const std::filesystem::path& directory);

}  // namespace diffusion
