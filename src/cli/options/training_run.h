#pragma once

// What `diffusion train` and `diffusion distill` share: options of a run, and the run itself with its
// progress line, Ctrl-C and result.

#include <CLI/CLI.hpp>
#include <string>

#include "cli/options/data_options.h"
#include "cli/options/field_options.h"
#include "cli/options/several_processes.h"
#include "train/communicator.h"
#include "train/config.h"
#include "train/run.h"

namespace diffusion {

// As given on the command line.
struct RunOptions {
  std::string data, out;
  DataArguments source;
  CaptionArguments captions;
  FieldOptions fields;
  bool json = false, quiet = false;
  ProcessesOptions processes;
  int patience = 0;  // measurements of the held-out loss; 0: the training does not stop because of them
};

// Adds --data and --out, all options of data_options.h, those of fields, and of output. `default_...` as the
// help says it.
void add_run_options(CLI::App& app, RunOptions& options, RunKind kind, const std::string& default_data,
                     const std::string& default_budget);

// Puts what was given into the configuration. Without any budget it is 15 minutes.
void apply_run_options(const CLI::App& app, const RunOptions& options, TrainConfig& config);

// --dropout. Error(usage) for a network that has none.
void set_dropout(TrainConfig& config, double probability);

// The words for a run: those that were asked for, or, for a network that is told words, those that lie with
// the images. Error(usage) for words that the network is not told, and for none if it is.
CaptionOptions captions_for(const CLI::App& app, const RunOptions& options, const TrainConfig& config);

// Talks to stderr.
void talk(const std::string& message);

// What a run tells: the first process of several alone does.
TrainingRun::Report talk_of(const Communicator& communicator);

std::string summary_of(const Dataset& dataset);
// One line about data and network.
void describe_run(const TrainingRun& training, const std::string& data_summary, const TrainConfig& config);

// Loads data by `load` in one process after the first, so that the others find the cache that it made.
template <class Load>
auto load_after_leader(const Communicator& communicator, const Load& load) {
  if (!communicator.leads()) communicator.follow_leader();
  auto loaded = load();
  if (communicator.leads()) communicator.follow_leader();
  return loaded;
}

// Trains until it is complete or a signal comes, and tells the result. Returns the exit code.
int train_to_end(TrainingRun& training, const RunOptions& options, const Communicator& communicator);

}  // namespace diffusion
