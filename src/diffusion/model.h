#pragma once

// A trained or freshly initialized diffusion model: network, weights, and what its numbers mean. On disk it
// is a diffusers pipeline directory:
//   model_index.json  unet/config.json  unet/diffusion_pytorch_model.safetensors
//                     scheduler/scheduler_config.json
// plus diffusion.json with what diffusers has no place for (class names, the null class, the sampler of a
// model that needs few steps); diffusers ignores it. A network that diffusers does not have is refused by it,
// by the name in model_index.json.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/pipeline_index.h"
#include "diffusion/precondition.h"
#include "diffusion/scheduler_config.h"
#include "formats/json.h"
#include "formats/safetensors.h"
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
  // What the scheduler of the files would do, or consistency_sampling(). None for models that we train: then
  // scheduler_recipe() says what the files would be. See default_recipe.h.
  std::optional<SamplingRecipe> sampling = {};
  // scheduler_config.json and the pipeline's class as they were read; what is written then, whatever the
  // members above say. None for models that we train: then the file is made from the preconditioner.
  std::optional<Json> scheduler_config = {};
  std::string pipeline_class = PipelineIndex().pipeline_class;

  // Classes that a person may ask for; 0: not class-conditional.
  int class_count() const { return traits().class_rows() - (null_class ? 1 : 0); }

  NetworkTraits traits() const { return traits_of(network); }
};

// The parameters of a network, without memory for activations.
ParamLayout layout_of(const NetworkConfig& config);

// scheduler_config.json as write_pipeline writes it.
Json scheduler_config_of(const Model& model);

// Where a pipeline directory keeps a component: in the folder of that name if there is one, else in itself.
std::filesystem::path component_directory(const std::filesystem::path& directory, const char* component);

// Writes the files into an existing directory, not atomically: callers use an AtomicDirectory. `weights` is a
// flat block in the layout of model.params (its EMA, say). Error(usage) naming the tensor for values that F16
// cannot hold.
void write_pipeline(const std::filesystem::path& directory, const Model& model,
                    std::span<const float> weights, SafetensorsDType dtype = SafetensorsDType::f32);

// SHA-256 of everything that decides what the model computes: network, weights, and what its numbers mean.
// The same for files of the same weights in another form.
std::string fingerprint_of(const Model& model);

// The sampler of models whose D is a consistency function (`diffusion distill`), and its noise levels.
// diffusion.json names it, because scheduler_config.json cannot for every objective; diffusers ignores that.
// Limits of D stay as in `scheduler`.
SamplingRecipe consistency_sampling(const SamplingRecipe& scheduler, const Preconditioner& preconditioner);

// Reads a pipeline directory, sub-folders or flat; diffusion/weights.h has the forms of the weights.
// Error(bad_input) or Error(io) naming the file.
Model read_pipeline(const std::filesystem::path& directory);

}  // namespace diffusion
