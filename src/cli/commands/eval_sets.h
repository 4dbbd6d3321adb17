#pragma once

// The images that `diffusion eval` compares, from where its options say they are.

#include <optional>
#include <string>
#include <vector>

#include "cli/commands/eval_likelihood.h"
#include "cli/options/options.h"
#include "cli/options/sampling_options.h"
#include "data/registry.h"
#include "diffusion/generate.h"

namespace diffusion {

struct EvalOptions {
  std::string model, samples, data, features, split = "test";
  DataOptions source;
  int count = 10000;
  GenerateOptions generate;
  SamplingOptions sampling;
  MachineOptions machine;
  bool classification_score = false;
  std::string neighbors, save_samples;
  LikelihoodRequest likelihood;
  bool offline = false, json = false, quiet = false;
};

struct Samples {
  Dataset images;  // with labels if each was made to be of a class that is known
  int steps = 0;   // 0: not made here
  std::string sampler = {};
};

// --count images of the model; `class_names` are those of the feature network or of the real images. They are
// written to --save-samples before anything else is done with them.
Samples make_samples(const EvalOptions& o, Model& model, const std::vector<std::string>& class_names);
// Those of --samples; `counted`: only --count of them, at random.
Samples read_samples(const EvalOptions& o, bool counted, const std::vector<std::string>& class_names);

struct RealSets {
  Dataset images;                 // what samples are compared with
  std::optional<Dataset> others;  // the other split, if there are two
  bool images_are_for_training = false;

  // Null: there is only one set, and nobody knows what a model was trained on.
  const Dataset* training() const;
  const Dataset& test() const;
};

// Labels are those of the feature network's `class_names`, if there are labels and they can be; without such
// names the data's own.
RealSets read_real_sets(const EvalOptions& o, const std::optional<std::vector<std::string>>& class_names);

}  // namespace diffusion
