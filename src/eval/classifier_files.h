#pragma once

// A feature network on disk: a directory with
//   features.safetensors  the weights, f32
//   features.json         architecture, SHA-256 of the weights, and where they are from:
//     {"architecture": {"sample_size": [28, 28], "channels": 1, "class_names": [...], "widths": [...],
//       "blocks": 2, "groups": 8},
//      "sha256": "<64 digits>", "origin": {"data": ..., "accuracy": ..., ...}}
// Scores are comparable only if the SHA-256 is the same.

#include <filesystem>
#include <string>

#include "eval/classifier.h"
#include "formats/json.h"

namespace diffusion {

struct FeatureNetwork {
  Classifier classifier;
  std::string sha256;
  Json origin;
};

// Atomic. Returns the SHA-256 of the weights.
std::string write_feature_network(const std::filesystem::path& directory, const Classifier& classifier,
                                  Json origin);

// Error(bad_input) or Error(io) naming the file: not such a directory, weights that do not fit the
// architecture or have another SHA-256.
FeatureNetwork read_feature_network(const std::filesystem::path& directory);

}  // namespace diffusion
