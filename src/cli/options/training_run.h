#pragma once

// What `diffusion train` and `diffusion distill` share: options of a run that are about neither network nor
// loss, and the run itself with its progress line, Ctrl-C and result.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "cli/options/data_options.h"
#include "train/config.h"
#include "train/run.h"

namespace diffusion {

// As given on the command line.
struct RunOptions {
  std::string data, out, optimizer, precision;
  DataArguments source;
  TrainConfig config;
  double minutes = 0, epochs = 0;
  std::int64_t steps = 0, save_every = 0, preview_every = 0;
  bool drop_last = false, tensorboard = false, json = false, quiet = false;
};

// --data and --out; how long; `default_...` as the help says it; optimization; those of data_options.h and of
// batches; machine; output.
void add_place_options(CLI::App& app, RunOptions& options, const std::string& default_data);
void add_budget_options(CLI::App& app, RunOptions& options, const std::string& default_budget);
void add_optimization_options(CLI::App& app, RunOptions& options);
void add_batch_options(CLI::App& app, RunOptions& options);
void add_run_machine_options(CLI::App& app, RunOptions& options);
void add_run_output_options(CLI::App& app, RunOptions& options);

// Puts what was given into the configuration.
void apply_run_options(const CLI::App& app, const RunOptions& options, TrainConfig& config);

// Talks to stderr.
void talk(const std::string& message);

std::string summary_of(const Dataset& dataset);
// One line about data and network.
void describe_run(const TrainingRun& training, const std::string& data_summary, const TrainConfig& config);

// Trains until it is complete or a signal comes, and tells the result. Returns the exit code.
int train_to_end(TrainingRun& training, const RunOptions& options);

}  // namespace diffusion
