#pragma once

// For the command `restore`: what was measured.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include <diffusion/restore.h>
#include "diffusion/model.h"

namespace diffusion {

struct RestoreTaskOptions {
  std::string image, task, mask;
  double sigma = 0;
  bool measure = false;  // `image` is a picture that is to be measured first
};

struct Measurement {
  LinearOperator a;
  std::vector<double> numbers;  // [count, M]
  int count = 0;
};

// Adds IMAGE, --task, --mask, --sigma and --measure.
void add_task_options(CLI::App& app, RestoreTaskOptions& options);

// Error(usage) for options that need no model to be seen wrong.
void check_task(const RestoreTaskOptions& options);

// Reads what was measured, or measures it, with the seed's noise. Error(usage), Error(bad_input) or Error(io)
// naming option or file.
Measurement read_measurement(const RestoreTaskOptions& options, const Model& model,
                             const GenerateOptions& seed);

}  // namespace diffusion
