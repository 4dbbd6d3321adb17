#include <diffusion/train.h>

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <utility>

#include <diffusion/error.h>
#include <diffusion/models.h>
#include "diffusers/pipeline.h"
#include "train/held_out_images.h"
#include "train/presets.h"
#include "train/run.h"
#include "train/set_field.h"
#include "train/starting_model.h"

namespace diffusion {

namespace {

// `start`: the model to start from, or none; `text_encoder`: one that is given, or none.
TrainConfig config_of(const TrainOptions& options, const Dataset& images, const std::optional<Model>& start,
                      const std::optional<TextEncoder>& text_encoder) {
  const std::array size{images.example_height(), images.example_width()};
  TrainConfig config =
      preset_config(options.preset.empty() ? preset_for_data(images.name, size) : options.preset);
  config.data = images.name;
  if (start && text_encoder)
    throw Error(ErrorKind::usage, "there is a model to start from, so its text encoder cannot be given");
  if (start) config = starting_from(*start, std::move(config));
  if (text_encoder) config = with_text_encoder(*text_encoder, std::move(config));
  for (const char* limit : {"minutes", "steps", "epochs"})
    if (options.fields.contains(limit)) config.budget = {};
  for (const auto& [name, value] : options.fields) {
    const TrainField& field = find_field(name);
    if (start && field.use == FieldUse::new_model)
      throw Error(ErrorKind::usage, fmt::format("{} is decided by the model to start from", name), {name});
    if (text_encoder && name == "vocabulary")
      throw Error(ErrorKind::usage, "vocabulary is decided by the text encoder that is given", {name});
    set_field(field, value, config);
  }
  if (!options.fields.contains("slices")) fit_slices_to_batch(config);
  Budget& budget = config.budget;
  if (!budget.minutes && !budget.steps && !budget.epochs) budget.minutes = 15;
  return config;
}

std::unique_ptr<TrainingRun> open_run(Dataset images, const std::filesystem::path& directory,
                                      const TrainOptions& options) {
  std::optional<Model> start;
  if (!options.start.empty()) start = read_pipeline(find_pipeline(options.start));
  std::optional<TextEncoder> text_encoder;
  if (!options.text_encoder.empty()) text_encoder = read_text_encoder(options.text_encoder);
  const TrainConfig config = config_of(options, images, start, text_encoder);
  const auto report = options.report ? options.report : [](const std::string&) {};
  HeldOutImages held_out;
  if (options.held_out) held_out = load_held_out(config, images, [&] { return *options.held_out; });
  if (!held_out.why_not.empty()) report(held_out.why_not);
  return std::make_unique<TrainingRun>(config, std::move(images), directory, report,
                                       std::move(held_out.images), std::move(start), std::move(text_encoder));
}

}  // namespace

Training::Training(Dataset images, const std::filesystem::path& directory, const TrainOptions& options)
    : run_(open_run(std::move(images), directory, options)) {}

Training::Training(Training&& other) noexcept = default;
Training& Training::operator=(Training&& other) noexcept = default;
Training::~Training() = default;

bool Training::run(const std::function<void(const StepReport&)>& on_step, std::stop_token stop) {
  std::atomic<bool> stops = false;
  const std::stop_callback when_asked(std::move(stop), [&stops] { stops = true; });
  return run_->train(
      on_step ? on_step : [](const StepReport&) {}, stops);
}

std::int64_t Training::step() const {
  return run_->step();
}

std::int64_t Training::total_steps() const {
  return run_->total_steps();
}

double Training::seconds() const {
  return run_->seconds();
}

}  // namespace diffusion
