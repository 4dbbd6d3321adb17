#pragma once

// A model on disk is a diffusers pipeline directory:
//   model_index.json  unet/config.json  unet/diffusion_pytorch_model.safetensors
//                     scheduler/scheduler_config.json
// plus diffusion.json with what diffusers has no place for (class names, the null class, the sampler of a
// model that needs few steps); diffusers ignores it. A network that diffusers does not have is refused by it,
// by the name in model_index.json.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "diffusion/model.h"
#include "formats/json.h"
#include "formats/safetensors.h"

namespace diffusion {

// scheduler_config.json as write_pipeline writes it.
Json scheduler_config_of(const Model& model);

// Where a pipeline directory keeps a component: in the folder of that name if there is one, else in itself.
std::filesystem::path component_directory(const std::filesystem::path& directory, const char* component);

// Writes the files into an existing directory, not atomically: callers use an AtomicDirectory. `weights` is a
// flat block in the layout of model.params (its EMA, say). Error(usage) naming the tensor for values that F16
// cannot hold.
void write_pipeline(const std::filesystem::path& directory, const Model& model,
                    std::span<const float> weights, SafetensorsDType dtype = SafetensorsDType::f32);

// The files of a pipeline directory that hold weights.
struct WeightsOnDisk {
  std::vector<std::string> dtypes;  // as in the files, each once, sorted
  std::size_t files;
  std::uint64_t bytes;  // of numbers
};
WeightsOnDisk weights_on_disk(const std::filesystem::path& directory);

// What becomes of weights that are read. `as_fits` keeps those of large networks in their files, mapped into
// memory (plan/param_store.h); that is enough to evaluate them, not to train or to write them.
enum class WeightPlace { memory, files, as_fits };

// The weights of a pipeline directory whose network is known. Errors as read_pipeline().
ParamStore read_params(const std::filesystem::path& directory, const NetworkConfig& config,
                       WeightPlace place = WeightPlace::memory);

// The tokenizer in `folder`, for an encoder whose configuration is that of `encoder_file`. Errors as
// read_tokenizer(), and Error(bad_input) if it has more tokens than the encoder knows.
Tokenizer read_tokenizer_for(const TextEncoderConfig& encoder, const std::filesystem::path& encoder_file,
                             const std::filesystem::path& folder);

// Reads a pipeline directory, sub-folders or flat; diffusers/weights.h has the forms of the weights.
// Error(bad_input) or Error(io) naming the file.
Model read_pipeline(const std::filesystem::path& directory, WeightPlace place = WeightPlace::memory);

}  // namespace diffusion
