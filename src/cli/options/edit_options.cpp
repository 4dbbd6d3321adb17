#include "cli/options/edit_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include <diffusion/error.h>
#include <diffusion/purify.h>
#include "base/log.h"
#include "cli/options/model_path.h"
#include "cli/options/stop_signal.h"
#include "diffusers/pipeline.h"

namespace diffusion {

namespace {

struct StoppedBySignal {};

}  // namespace

void add_edit_model_option(CLI::App& app, EditSampling& o) {
  add_model_option(app, o.model)->required();
}

void add_pictures_option(CLI::App& app, std::string& pictures) {
  app.add_option(
         "IMAGE", pictures,
         "PNG, JPEG, TIFF or WebP of any size, which becomes of the model's;\nor a .npy of many, uint8 "
         "[N, H, W, C]")
      ->required()
      ->type_name("");
}

void add_edit_sampling_options(CLI::App& app, EditSampling& o) {
  app.add_option("--first", o.generate.first, "Index k of the first image of the seed")
      ->check(in_range(0, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--seed", o.generate.seed, "Decides the noise: image k of a seed is always the same")
      ->check(at_least(0))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--label", o.sampling.label,
                 "Class of all images, a number or a name, or none\n(default: none, if the model knows that)")
      ->type_name("K");
  add_prompt_options(app, o.words);
  add_sampler_options(app, o.sampling);
  add_spacing_option(app, o.sampling);
  add_guidance_options(app, o.sampling);
  add_batch_option(app, o.generate.batch);
  add_machine_options(app, o.machine);
}

EditSetup::EditSetup(const CLI::App& app, const EditSampling& options, std::optional<std::string> sampler)
    : app_(app),
      options_(options),
      sampler_(std::move(sampler)),
      model_((check_sampling_names(options.sampling),
              read_pipeline(chosen_pipeline(options.model), WeightPlace::as_fits))) {
  if (!options.sampling.guide.empty())
    guide_ = read_pipeline(chosen_pipeline(options.sampling.guide), WeightPlace::as_fits);
}

GenerateOptions EditSetup::sampling(int count) {
  GenerateOptions g = options_.generate;
  SamplingOptions sampling = options_.sampling;
  if (!sampling.sampler) sampling.sampler = sampler_;
  apply_sampling_options(sampling, model_, guide_ ? &*guide_ : nullptr, g);
  apply_prompt_options(app_, options_.words, model_, g);
  g.count = count;
  if (!sampling.label && model_.null_class) g.without_class = true;
  if (g.first > std::numeric_limits<int>::max() - count)
    throw Error(ErrorKind::usage, fmt::format("--first is {}; with {} images accepted is at most {}", g.first,
                                              count, std::numeric_limits<int>::max() - count));
  g.batch = std::min(g.batch, count);
  return g;
}

GenerateOptions EditSetup::purification(int count) {
  if (app_.count("--spacing") > 0)
    throw Error(ErrorKind::usage,
                "--spacing is for other samplings; purification goes evenly down from --level");
  GenerateOptions g = sampling(count);
  if (!options_.sampling.steps) g.recipe->steps = purification_recipe(model_).steps;
  return g;
}

StepProgress::StepProgress(const std::string& command, int count, bool quiet)
    : count_(count), progress_(command, count, quiet, "images") {}

std::function<void(const GenerateStep&)> StepProgress::on_step() {
  return [this, &stop = stop_on_signal()](const GenerateStep& step) {
    if (stop) throw StoppedBySignal{};
    const double share = double(step.step + 1) / step.steps;
    progress_.update((step.first_image + share * step.images) / count_,
                     fmt::format("step {}/{}", step.step + 1, step.steps));
  };
}

TimedImages make_images(
    const std::string& command, int count, bool quiet, const MachineOptions& machine,
    const std::function<std::vector<Image>(const Device& device,
                                           const std::function<void(const GenerateStep&)>& on_step)>& make) {
  const auto device = make_device(machine);
  const auto start = std::chrono::steady_clock::now();
  StepProgress progress(command, count, quiet);
  TimedImages made{make(*device, progress.on_step())};
  progress.finish();
  made.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return made;
}

std::string counted_pictures(int count) {
  return fmt::format("{} picture{}", count, count == 1 ? "" : "s");
}

void add_variations_option(CLI::App& app, int& variations) {
  app.add_option("--variations", variations, "Pictures to make of each")
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str();
}

int count_of_variations(int given, int variations) {
  const std::int64_t count = std::int64_t(given) * variations;
  if (count > std::numeric_limits<int>::max())
    throw Error(ErrorKind::usage, fmt::format("--variations is {}, which is too many for {}", variations,
                                              counted_pictures(given)));
  return int(count);
}

int run_stoppable(const std::function<int()>& command) {
  try {
    return command();
  } catch (const StoppedBySignal&) {
    stderr_log().line("stopped by a signal");
    return kExitStopped;
  }
}

void check_in_range(std::string_view option, double value, double least, double most,
                    std::string_view accepted) {
  if (!(value >= least && value <= most))
    throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted are {}", option, value, accepted));
}

}  // namespace diffusion
