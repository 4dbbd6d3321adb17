#pragma once

// What `diffusion eval` found, as text and as JSON.

#include <optional>
#include <string>
#include <vector>

#include "eval/by_class.h"
#include "eval/classification_score.h"
#include "eval/evaluation.h"
#include "eval/likelihood.h"
#include "eval/memorization.h"
#include "formats/json.h"

namespace diffusion {

struct EvalReport {
  std::string samples, data;
  std::string network, features_sha256;  // network: "classifier" or "inception-v3"
  int feature_width = 0;
  int steps = 0;  // 0: samples that were made already
  std::string sampler = {};

  struct AtCount {
    Evaluation scores, floor;  // floor: real against real
  };
  std::vector<AtCount> counts = {};  // of all samples, then of fewer

  // In pixels and in features; none without a training set.
  struct Copies {
    Memorization pixels, features;
    int test_images = 0, training_images = 0;
  };
  std::optional<Copies> copies = {};

  // None if nobody knows of which class each sample was to be.
  struct Classes {
    std::vector<std::string> names;
    std::optional<double> agreement;  // none if the feature network knows no classes
    std::vector<ClassScores> scores;
  };
  std::optional<Classes> classes = {};
  std::optional<double> network_accuracy =
      {};  // of the feature network on the real test images, if these have labels
  std::optional<ClassificationScore> classification = {};
  std::optional<BitsPerDimension> bits = {};
};

// `samples`: the path of the samples or of the model, see path_to_json().
Json to_json(const EvalReport& report, const Json& samples);
void print_report(const EvalReport& report);

}  // namespace diffusion
