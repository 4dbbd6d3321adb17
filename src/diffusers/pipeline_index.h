#pragma once

// model_index.json: which classes of diffusers a pipeline directory is made of.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "formats/json.h"

namespace diffusion {

struct PipelineIndex {
  std::string pipeline_class = "DDPMPipeline";
  // None if the file does not say.
  std::optional<std::string> unet_class, scheduler_class;
  bool has_words = false;  // there is a text encoder of transformers, with its tokenizer
};

// The defaults if there is no such file. Error(bad_input) naming the component if the pipeline has others
// than a network, a scheduler, and a CLIP text encoder with its tokenizer (a VAE, say), or one from another
// library.
PipelineIndex read_pipeline_index(const std::filesystem::path& file);

// `library` is where the network's class comes from.
Json to_json(const PipelineIndex& index, std::string_view unet_library);

// The version of diffusers that our files say they are for.
inline constexpr const char* kDiffusersVersion = "0.30.3";
inline constexpr const char* kOwnLibrary = "diffusion.cpp";  // of networks that diffusers does not have

}  // namespace diffusion
