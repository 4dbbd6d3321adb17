#pragma once

// The options of `diffusion eval`, and the samples that they ask for.

#include <string>
#include <vector>

#include <diffusion/generate.h>
#include "cli/commands/eval_likelihood.h"
#include "cli/options/data_options.h"
#include "cli/options/options.h"
#include "cli/options/sampling_options.h"
#include "cli/options/several_processes.h"
#include "data/registry.h"
#include "diffusion/model.h"
#include "eval/evaluation_sets.h"

namespace diffusion {

// Of models of words.
struct WordsRequest {
  CaptionArguments captions;
  std::string held_out_list;
  int per_caption = 1;
};

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
  WordsRequest words;
  ProcessesOptions processes;
  bool offline = false, json = false, quiet = false;
};

// --count images of the model; `class_names` are those of the feature network or of the real images. They are
// written to --save-samples before anything else is done with them. Of several processes the leader has them,
// and none waits for another any more.
Samples make_samples(const EvalOptions& o, Model& model, const std::vector<std::string>& class_names,
                     const Communicator& communicator);

// The same for a picture of each prompt, without labels.
Samples draw_prompts(const EvalOptions& o, Model& model, std::vector<std::string> prompts);

// Error(usage) if the model at `path` does not tell the size of its images.
void check_sample_size(const Model& model, const std::string& path);

}  // namespace diffusion
