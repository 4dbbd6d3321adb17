#pragma once

// Trained models: where they are found, what they are, and how they are saved. On disk a model is a Hugging
// Face diffusers pipeline directory (docs/formats.md).

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace diffusion {

// A trained model: network, weights, and what its numbers mean. Only the library looks inside. It does not
// change, so several evaluators and threads may use one at the same time.
struct Model;

// Reads the model that a person means by `model`, see find_pipeline(). Error(bad_input) or Error(io) naming
// the file.
std::shared_ptr<const Model> read_model(const std::filesystem::path& model);

// Writes the model with f32 weights to `directory`, which appears under its name complete or not at all.
// Error(usage) if it exists, Error(io) naming the file.
void save_model(const Model& model, const std::filesystem::path& directory);

struct ModelFacts {
  // Something that the network is told of each sample besides its noise level, see conditions.h.
  struct Condition {
    std::string name;
    int size;  // numbers per sample
  };

  std::string network;    // of configuration files: "UNet2DModel", "ConvNextUNet"
  std::string objective;  // what it predicts: "epsilon", "v", "x0", "edm" or "flow"
  std::int64_t parameters;
  int channels, height, width;           // of what it makes, [C, H, W]; height and width 0: not given
  int size_multiple;                     // sides must be multiples of this
  int timesteps;                         // of its noise schedule; 0: it has none (edm, flow)
  double sigma_min, sigma_max;           // its lowest and highest noise level
  int class_count;                       // classes that a person may ask for; 0: not class-conditional
  std::vector<std::string> class_names;  // empty, too, if names are unknown
  bool has_guidance;                     // it knows what no class is, so Guidance needs no other model
  std::vector<Condition> conditions;
};
ModelFacts facts_of(const Model& model);

// The pipeline directory that a person means by `model`: that directory itself, RUN/latest of a training run,
// or, where there is no such file, the model of that name that comes with the program. Error(bad_input)
// naming what was looked for if it is none of these.
std::filesystem::path find_pipeline(const std::filesystem::path& model);

// Where a model or feature network is that comes with the program: a directory `name` in DIFFUSION_MODELS_DIR
// if that is set, else beside the program as installed (../share/diffusion/models) or built (../../models).
// None if it is not there.
std::optional<std::filesystem::path> find_shipped(std::string_view name);

}  // namespace diffusion
