#include "train/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <diffusion/error.h>
#include <diffusion/generate.h>
#include <diffusion/picture_files.h>
#include "diffusers/pipeline.h"
#include "diffusion/model.h"
#include "files/folders.h"
#include "sound/mel_picture.h"
#include "train/denoising_task.h"
#include "train/run_agreement.h"
#include "train/run_setup.h"
#include "train/sliced_task.h"

namespace diffusion {

namespace {

constexpr double kSecondsBetweenSaves = 60;

LearnerOptions learner_options(const TrainConfig& c) {
  return {
      .optimizer = {.kind = c.optimizer, .beta1 = c.beta1, .beta2 = c.beta2, .weight_decay = c.weight_decay},
      .sums_units = c.slices > 1,
      .parts = c.accumulate,
      .clip = c.clip,
      .ema_exponent = c.ema_exponent,
      .seed = c.seed};
}

std::unique_ptr<Task> make_task(const TrainConfig& config, const Dataset& dataset, const Model& model,
                                LearnedParams& params, const Device& device, const CaptionInputs& captions,
                                const Communicator& communicator, std::span<const ParamRange> owned) {
  const auto make = [&](const LearnedParams& learned, const Device& on) -> std::unique_ptr<Task> {
    if (config.consistency)
      return std::make_unique<ConsistencyTask>(config, dataset, model, learned, on, captions);
    return std::make_unique<DenoisingTask>(config, dataset, model, learned, on, captions);
  };
  if (config.slices == 1) return make(params, device);
  return std::make_unique<SlicedTask>(config, params, device, thread_count(), communicator, owned, make);
}

// The captions of images that are spread over all.
std::vector<std::string> preview_prompts(const Dataset& dataset, int count) {
  std::vector<std::string> prompts;
  for (std::int64_t k = 0; k < count; ++k) {
    const int image = int(k * dataset.count() / count);
    prompts.emplace_back(dataset.captions.count(image) > 0 ? dataset.captions.text(image, 0) : "");
  }
  return prompts;
}

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

TrainingRun::TrainingRun(const TrainConfig& config, Dataset dataset, const std::filesystem::path& folder,
                         Report report, std::optional<Dataset> held_out, std::optional<Model> start,
                         std::optional<TextEncoder> text_encoder, const Communicator& communicator)
    : TrainingRun(set_up_run(config, dataset, std::move(start), std::move(text_encoder)), std::move(dataset),
                  folder, std::move(report), std::move(held_out), communicator) {}

// `dataset` is a reference, so that it is still there while the run is set up.
TrainingRun::TrainingRun(RunSetup setup, Dataset&& dataset, const std::filesystem::path& folder,
                         Report report, std::optional<Dataset> held_out, const Communicator& communicator)
    : config_(std::move(setup.config)),
      dataset_(std::move(dataset)),
      folder_(folder),
      report_(std::move(report)),
      communicator_(communicator),
      model_(std::move(setup.model)),
      device_((set_threads(config_.threads), make_cpu_device(config_.precision))),
      params_(model_.params, *device_),
      learner_(params_, *device_, learner_options(config_), communicator_),
      stream_(dataset_, config_.seed, {config_.batch, config_.flip, config_.drop_last}) {
  state_ = initial_state(config_, dataset_);
  check_same_everywhere(communicator_, config_.slices, state_);
  if (communicator_.leads()) open_folder();
  if (config_.budget.steps) total_steps_ = *config_.budget.steps;
  if (config_.budget.epochs) total_steps_ = stream_.steps_of(*config_.budget.epochs);
  resume();  // or refuses, before the captions' states replace those of the run that is there
  if (!communicator_.leads()) communicator_.follow_leader();  // who makes the file of the captions' states
  prepare_captions();
  if (communicator_.leads()) communicator_.follow_leader();
  task_ = make_task(
      config_, dataset_, model_, params_, *device_,
      {caption_tokens_ ? &*caption_tokens_ : nullptr, caption_states_ ? &*caption_states_ : nullptr},
      communicator_, learner_.owned());
  if (!communicator_.leads()) return;
  if (held_out) held_out_.emplace(std::move(*held_out), config_, model_.preconditioner);
  log_.emplace(folder_, state_.step, config_.tensorboard);
}

TrainingRun::~TrainingRun() = default;

void TrainingRun::open_folder() {
  make_folders(folder_);
  lock_ = std::make_unique<FileLock>(folder_ / "lock");
  remove_stale_temporaries(folder_);
  if (is_folder(folder_ / "checkpoints")) remove_stale_temporaries(folder_ / "checkpoints");
}

void TrainingRun::prepare_captions() {
  if (!model_.tokenizer) return;
  caption_tokens_.emplace(dataset_.captions, *model_.tokenizer, model_.traits().text_length());
  if (has_fixed_text_encoder(config_.network))
    caption_states_.emplace(folder_ / "hidden-states.safetensors", *caption_tokens_, model_,
                            config_.text_encoder.value(), *device_, report_);
}

void TrainingRun::resume() {
  const bool resumed = communicator_.leads() && read_newest();
  share_resumed(communicator_, resumed, state_, model_, learner_);
  params_.upload();
}

bool TrainingRun::read_newest() {
  const auto checkpoint = find_checkpoint(folder_, report_);
  if (!checkpoint) return false;
  const TrainingState found = read_training_state(*checkpoint);
  check_same_run(folder_, config_, found, state_);
  if (const std::string changed = differences(found.environment, state_.environment); !changed.empty())
    report_("resuming under other conditions, so the result will not be the same bits as an unbroken run: " +
            changed);
  state_.step = found.step;
  state_.seconds = found.seconds;
  state_.loss_average = found.loss_average;
  read_arrays(*checkpoint, model_, learner_.optimizer());
  point_latest(folder_, *checkpoint);  // in case that the session before ended in between
  report_(fmt::format("resuming {} after step {}", folder_.string(), state_.step));
  return true;
}

double TrainingRun::progress() const {
  if (config_.budget.minutes) return std::min(1.0, state_.seconds / (60 * *config_.budget.minutes));
  return std::min(1.0, double(state_.step) / double(total_steps_));
}

void TrainingRun::fail_non_finite(const LearnedStep& learned) const {
  const bool by_loss = !std::isfinite(learned.loss);
  std::string images;
  for (int i = 0; i < std::min(config_.batch, 8); ++i)
    images += fmt::format("{}{}", images.empty() ? "" : ", ",
                          stream_.dataset_index(std::uint32_t(state_.step), std::uint32_t(i)));
  throw Error(
      ErrorKind::non_finite,
      fmt::format(
          "the {} is {} at step {} (batch of {}, images {}{} of {}); the last checkpoint is kept. Try a "
          "lower learning_rate, or the precision f32",
          by_loss ? "loss" : "gradient norm", by_loss ? learned.loss : learned.gradient_norm, state_.step + 1,
          config_.batch, images, config_.batch > 8 ? ", ..." : "", dataset_.name),
      {"learning_rate", "precision"});
}

// The rate of the next step.
double TrainingRun::learning_rate() const {
  switch (config_.rate) {
    case RateShape::warmup_cosine:
      return config_.learning_rate * learning_rate_factor(config_.warmup, progress());
    case RateShape::constant:
      return config_.learning_rate;
    case RateShape::staircase_cosine:
      return staircase_cosine(config_.min_learning_rate, config_.learning_rate, config_.rate_epochs,
                              stream_.epoch_of(std::uint32_t(state_.step)));
  }
  return config_.learning_rate;
}

StepReport TrainingRun::train_step() {
  const double rate = learning_rate();
  const LearnedStep learned = learner_.step(*task_, state_.step, rate, progress());
  if (!learned.finite()) fail_non_finite(learned);
  ++state_.step;
  state_.loss_average += (learned.loss - state_.loss_average) * std::max(0.02, 1.0 / double(state_.step));
  const auto began = std::exchange(clock_, std::chrono::steady_clock::now());
  const auto [seconds, saves] = agree(communicator_, {seconds_between(began, clock_), save_due()});
  state_.seconds += seconds;
  saves_ = saves;
  return {state_.step,
          progress(),
          learned.loss,
          state_.loss_average,
          rate,
          learned.gradient_norm,
          config_.batch / seconds,
          state_.seconds,
          {}};
}

bool TrainingRun::save_due() const {
  if (config_.save_every) return state_.step % *config_.save_every == 0;
  return seconds_between(saved_at_, clock_) > kSecondsBetweenSaves;
}

void TrainingRun::save() {
  for (const Tensor& block : {learner_.optimizer().moment1(), learner_.optimizer().moment2()})
    communicator_.lead_owned(params_.queue(), block, learner_.owned());
  gather_average();
  if (!communicator_.leads()) return;
  params_.download();
  write_checkpoint(folder_, model_, learner_.optimizer(), state_, config_.keep, report_);
}

// The leader alone has all of the average, after this.
void TrainingRun::gather_average() {
  communicator_.lead_owned(params_.queue(), learner_.optimizer().ema(), learner_.owned());
}

// A model of its own with the EMA weights.
Model TrainingRun::averaged_model() const {
  Model model{model_.network,    model_.preconditioner, model_.class_names,
              model_.null_class, model_.sampling,       ParamStore(model_.params.layout())};
  model.tokenizer = model_.tokenizer;
  model.series = model_.series;
  model.mel = model_.mel;
  const Optimizer& optimizer = learner_.optimizer();
  optimizer.queue().read(optimizer.ema(), model.params.values());
  return model;
}

void TrainingRun::write_best() const {
  AtomicDirectory directory(folder_ / "best");
  const Model averaged = averaged_model();
  write_pipeline(directory.path(), averaged, averaged.params.values());
  directory.commit();
}

void TrainingRun::write_preview() {
  Model model = averaged_model();
  GenerateOptions options;
  options.count = options.batch = config_.previews.images;
  options.seed = config_.seed;
  options.recipe = {.sampler = find_sampler(config_.previews.sampler),
                    .levels = {.spacing = config_.previews.spacing},
                    .steps = std::min(config_.previews.steps, config_.timesteps),
                    .limit = {.kind = model.sampling.limit.clips() ? EstimateLimit::Kind::clip
                                                                   : EstimateLimit::Kind::none}};
  if (model.tokenizer) options.prompts = preview_prompts(dataset_, config_.previews.images);
  std::vector<Image> images = generate(model, *device_, options);
  if (model.mel)
    for (Image& image : images) image = upright(image);
  make_folder(folder_ / "previews");
  write_png(folder_ / "previews" / fmt::format("step-{:09}.png", state_.step),
            make_grid(images, config_.previews.columns, 2, 255));
}

bool TrainingRun::held_out_due(const StepReport& report) const {
  return held_out_ && held_out_->is_due(report.step, report.progress >= 1);
}

void TrainingRun::measure_held_out(StepReport& report) {
  if (!held_out_due(report)) return;
  const Model averaged = averaged_model();
  report.held_out = held_out_->measure(averaged, *device_);
}

// Whether the next step begins another epoch than the last.
bool TrainingRun::epoch_ends() const {
  return stream_.epoch_of(std::uint32_t(state_.step)) > stream_.epoch_of(std::uint32_t(state_.step - 1));
}

bool TrainingRun::preview_due(const StepReport& report, double progress_before) const {
  if (dataset_.numbers) return false;  // they are no pictures
  if (config_.preview_every) return *config_.preview_every > 0 && report.step % *config_.preview_every == 0;
  if (config_.previews.each_epoch) return epoch_ends();
  return std::floor(report.progress * 4) > std::floor(progress_before * 4);
}

// As the tutorials print: the loss of single batches, counted from 0 in their epoch, and what an epoch took.
void TrainingRun::report_loss(const StepReport& report) {
  const std::int64_t in_epoch = (report.step - 1) % stream_.steps_of(1);
  const std::uint64_t epoch = stream_.epoch_of(std::uint32_t(report.step - 1));
  if (in_epoch == 0) epoch_began_ = report.seconds;
  if (in_epoch % config_.report_every == 0)
    report_(fmt::format("epoch {} step {}: loss {:.5f}", epoch, in_epoch, report.loss));
  if (epoch_ends() && epoch_began_)
    report_(fmt::format("epoch {}: {:.1f} s", epoch, report.seconds - *epoch_began_));
}

void TrainingRun::record(StepReport& report) {
  measure_held_out(report);
  log_->append(report);
}

void TrainingRun::show(const StepReport& report, double progress_before) {
  if (config_.report_every > 0) report_loss(report);
  if (preview_due(report, progress_before)) write_preview();
}

bool TrainingRun::train(const std::function<void(const StepReport&)>& on_step,
                        const std::atomic<bool>& stop) {
  saved_at_ = clock_ = std::chrono::steady_clock::now();
  std::int64_t saved_step = state_.step > 0 ? state_.step : -1;
  while (progress() < 1 && !any(communicator_, stop)) {
    const double before = progress();
    StepReport report = train_step();
    const bool averages = held_out_due(report) || preview_due(report, before);
    if (any(communicator_, communicator_.leads() && averages)) gather_average();
    if (communicator_.leads()) record(report);
    on_step(report);
    if (communicator_.leads()) show(report, before);
    if (!saves_) continue;
    save();
    saved_step = state_.step;
    saved_at_ = clock_;
  }
  if (saved_step != state_.step) save();
  return progress() >= 1;
}

}  // namespace diffusion
