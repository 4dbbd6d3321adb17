#pragma once

// What `edit`, `invert`, `interpolate`, `restore` and `purify` have in common: a model, how it samples, and
// how they run.

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <diffusion/generate.h>
#include "base/progress.h"
#include "cli/options/options.h"
#include "cli/options/prompt_options.h"
#include "cli/options/sampling_options.h"
#include "diffusion/model.h"

namespace diffusion {

struct EditSampling {
  std::string model;
  GenerateOptions generate;
  SamplingOptions sampling;
  PromptOptions words;
  MachineOptions machine;
};

void add_edit_model_option(CLI::App& app, EditSampling& options);
// IMAGE, for read_pictures().
void add_pictures_option(CLI::App& app, std::string& pictures);
// --first, --seed, --label, words, sampler, spacing, guidance, --batch and those of the machine.
void add_edit_sampling_options(CLI::App& app, EditSampling& options);

// The models of the options, read, and what is to be sampled.
class EditSetup {
 public:
  // `sampler`: that of the command, if it has one and no other was chosen. Error(usage) for options that do
  // not go together.
  EditSetup(const CLI::App& app, const EditSampling& options, std::optional<std::string> sampler);

  Model& model() { return model_; }
  // `count` images. Without --label they are of no class, if the model knows that.
  GenerateOptions sampling(int count);
  // The same for purification: as many steps as purification_recipe() has unless --steps says otherwise.
  // Error(usage) for --spacing, as its levels are its own.
  GenerateOptions purification(int count);

 private:
  const CLI::App& app_;
  const EditSampling& options_;
  std::optional<std::string> sampler_;
  Model model_;
  std::optional<Model> guide_;
};

// Shows on stderr how far a call is, and ends it at a signal: on_step() throws then.
class StepProgress {
 public:
  StepProgress(const std::string& command, int count, bool quiet);
  std::function<void(const GenerateStep&)> on_step();
  void finish() { progress_.finish(); }

 private:
  int count_;
  Progress progress_;
};

// What make(device, on_step) returns, made on the device of the options, with a StepProgress; how long it
// took.
struct TimedImages {
  std::vector<Image> images;
  double seconds = 0;
};
TimedImages make_images(
    const std::string& command, int count, bool quiet, const MachineOptions& machine,
    const std::function<std::vector<Image>(const Device& device,
                                           const std::function<void(const GenerateStep&)>& on_step)>& make);

// "1 picture", "2 pictures".
std::string counted_pictures(int count);

// --variations, and how many pictures they make of each of `given`. Error(usage) if there are too many to
// count.
void add_variations_option(CLI::App& app, int& variations);
int count_of_variations(int given, int variations);

// Runs a command, whose StepProgress may end it at a signal; then the result is kExitStopped.
int run_stoppable(const std::function<int()>& command);

// Error(usage) naming the option unless least <= value <= most.
void check_in_range(std::string_view option, double value, double least, double most,
                    std::string_view accepted);

}  // namespace diffusion
