#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/version.h"
#include "diffusion/generate.h"
#include "diffusion/loss.h"
#include "files/folders.h"
#include "files/fs.h"
#include "pictures/png.h"
#include "train/starting_model.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr double kSecondsBetweenSaves = 60;

// The configuration with what the data decide filled in.
TrainConfig complete(TrainConfig c, const Dataset& dataset, const std::optional<Model>& start) {
  if (c.precision == Precision::automatic) c.precision = fastest_precision();
  if (start) {
    check_start(c, *start, dataset);
    validate(c);
    return c;
  }
  const bool conditional = c.conditional && !dataset.labels.empty();
  const int class_rows = conditional ? int(dataset.class_names.size()) + 1 : 0;  // the last: no class
  const std::array size{dataset.example_height(), dataset.example_width()};
  c.network = fitted_to(std::move(c.network), size, dataset.channels, class_rows);
  validate(c);
  validate_image_size(c.network, size[0], size[1]);
  return c;
}

Model make_model(const TrainConfig& c, const Dataset& dataset, std::optional<Model> start) {
  if (start) {
    start->network = c.network;  // its dropout may be another
    if (c.consistency) start->sampling = consistency_sampling(start->sampling);
    return std::move(*start);
  }
  Model model{c.network, make_preconditioner(c), {}, {}, c.clip_samples, ParamStore(layout_of(c.network))};
  if (const int rows = model.traits().class_rows(); rows > 0) {
    model.class_names = dataset.class_names;
    model.null_class = rows - 1;
  }
  model.params.initialize(c.seed);
  return model;
}

// Every field in which two JSON objects differ, as "batch (128 there, 64 here)".
std::string differences(const Json& there, const Json& here) {
  std::string list;
  const auto text = [](const Json* j) { return j ? dump_json(*j) : std::string("absent"); };
  const auto note = [&](const std::string& name, const Json* a, const Json* b) {
    list += fmt::format("{}{} ({} there, {} here)", list.empty() ? "" : ", ", name, text(a), text(b));
  };
  for (const auto& [name, value] : to_object(here, "the configuration")) {
    const Json* other = there.find(name);
    if ((name == "network" || name == "consistency") && other) {
      const std::string inner = differences(*other, value);
      if (!inner.empty()) list += fmt::format("{}{}: {}", list.empty() ? "" : ", ", name, inner);
    } else if (!other || !(*other == value)) {
      note(name, other, &value);
    }
  }
  for (const auto& [name, value] : to_object(there, "the configuration"))
    if (!here.find(name)) note(name, &value, nullptr);
  return list;
}

void check_same_run(const fs::path& run, const TrainConfig& c, const TrainingState& found,
                    const TrainingState& wanted) {
  const std::string config = differences(with_later_fields(found.config, c), wanted.config),
                    data = differences(found.data, wanted.data);
  if (config.empty() && data.empty()) return;
  throw Error(
      ErrorKind::usage,
      fmt::format(
          "{} holds a run with other settings: {}{}{}. Repeat its command to resume it, or choose another "
          "--out",
          run.string(), config, !config.empty() && !data.empty() ? ", data: " : "", data));
}

}  // namespace

Trainer::Trainer(const TrainConfig& config, Dataset dataset, const fs::path& run, Talk talk,
                 std::optional<Dataset> held_out, std::optional<Model> start)
    : config_(complete(config, dataset, start)),
      dataset_(std::move(dataset)),
      run_(run),
      talk_(std::move(talk)),
      model_(make_model(config_, dataset_, std::move(start))),
      device_((set_threads(config_.threads), make_cpu_device(config_.precision))),
      optimizer_(model_.params, {.kind = config_.optimizer,
                                 .beta1 = config_.beta1,
                                 .beta2 = config_.beta2,
                                 .weight_decay = config_.weight_decay}),
      evaluator_(config_.network, model_.params, *device_, Mode::training, config_.batch / config_.accumulate,
                 dataset_.example_height(), dataset_.example_width()),
      batches_(dataset_, config_, model_.preconditioner, model_.null_class.value_or(-1)),
      output_(std::size_t(config_.batch / config_.accumulate) * evaluator_.output_size()),
      grad_(output_.size()) {
  make_folders(run_);
  lock_ = std::make_unique<FileLock>(run_ / "lock");
  remove_stale_temporaries(run_);
  if (is_folder(run_ / "checkpoints")) remove_stale_temporaries(run_ / "checkpoints");

  if (config_.budget.steps) total_steps_ = *config_.budget.steps;
  if (config_.budget.epochs) total_steps_ = batches_.stream().steps_of(*config_.budget.epochs);

  state_.config = to_json(config_);
  state_.data = Json::Object{{"name", dataset_.name},
                             {"count", dataset_.count()},
                             {"fingerprint", fmt::format("{:016x}", dataset_.fingerprint())}};
  state_.environment =
      Json::Object{{"threads", thread_count()}, {"cpu", cpu_description()}, {"version", version()}};
  if (const auto checkpoint = find_checkpoint(run_, talk_)) {
    const TrainingState found = read_training_state(*checkpoint);
    check_same_run(run_, config_, found, state_);
    if (const std::string changed = differences(found.environment, state_.environment); !changed.empty())
      talk_("resuming under other conditions, so the result will not be the same bits as an unbroken run: " +
            changed);
    state_.step = found.step;
    state_.seconds = found.seconds;
    state_.loss_average = found.loss_average;
    read_arrays(*checkpoint, model_, optimizer_);
    point_latest(run_, *checkpoint);  // in case that the session before ended in between
    talk_(fmt::format("resuming {} after step {}", run_.string(), state_.step));
  }
  if (config_.consistency) lower_.emplace(*config_.consistency, model_.preconditioner);
  if (held_out) held_out_.emplace(std::move(*held_out), config_, model_.preconditioner);
  log_.emplace(run_, state_.step, config_.tensorboard);
}

Trainer::~Trainer() = default;

double Trainer::progress() const {
  if (config_.budget.minutes) return std::min(1.0, state_.seconds / (60 * *config_.budget.minutes));
  return std::min(1.0, double(state_.step) / double(total_steps_));
}

void Trainer::fail_non_finite(const char* what, double value) const {
  std::string images;
  for (int i = 0; i < std::min(config_.batch, 8); ++i)
    images += fmt::format("{}{}", images.empty() ? "" : ", ",
                          batches_.stream().dataset_index(std::uint32_t(state_.step), std::uint32_t(i)));
  throw Error(
      ErrorKind::non_finite,
      fmt::format(
          "the {} is {} at step {} (batch of {}, images {}{} of {}); the last checkpoint is kept. Try a "
          "lower --lr or --precision f32",
          what, value, state_.step + 1, config_.batch, images, config_.batch > 8 ? ", ..." : "",
          dataset_.name));
}

double Trainer::learning_rate(std::uint32_t step) const {
  switch (config_.rate) {
    case RateShape::warmup_cosine:
      return config_.learning_rate * learning_rate_factor(config_.warmup, progress());
    case RateShape::constant:
      return config_.learning_rate;
    case RateShape::staircase_cosine:
      return staircase_cosine(config_.min_learning_rate, config_.learning_rate, config_.rate_epochs,
                              batches_.stream().epoch_of(step));
  }
  return config_.learning_rate;
}

// The loss of one of the parts of the batch that are computed after one another. Leaves the gradient of it in
// grad_.
double Trainer::evaluate_part(std::size_t part, const RunContext& context) {
  const auto slice = [&](const auto& all) {
    const std::size_t size = all.size() / std::size_t(config_.accumulate);
    return std::span(all).subspan(part * size, size);
  };
  Conditions conditions;
  if (const auto labels = slice(batch_.labels); !labels.empty())
    conditions[std::string(kClassCondition)].assign(labels.begin(), labels.end());
  const auto forward = [&](std::span<const float> input, std::span<const float> timesteps) {
    evaluator_.evaluate(input, timesteps, conditions, output_, context);
  };
  if (lower_) {  // first, as the backward needs what the other evaluation leaves; dropout is the same in both
    forward(slice(lower_->input()), slice(lower_->timesteps()));
    lower_->set_targets(part * batch_.sigmas.size() / std::size_t(config_.accumulate), output_, batch_);
  }
  forward(slice(batch_.input), slice(batch_.timesteps));
  if (lower_)
    return consistency_loss(config_.consistency->huber, output_, slice(batch_.target),
                            slice(lower_->error_scale()), slice(batch_.weights), grad_);
  return loss_and_grad(config_.loss, output_, slice(batch_.target), slice(batch_.weights), grad_);
}

// Algorithm 1 of Ho et al. 2020, with gradient accumulation, clipping, optimizer and EMA.
StepReport Trainer::train_step() {
  const auto step = std::uint32_t(state_.step);
  const double rate = learning_rate(step);
  batches_.make(step, batch_);
  if (lower_) lower_->make(batch_, progress());
  std::ranges::fill(model_.params.grads(), 0.f);

  double loss = 0;
  for (int a = 0; a < config_.accumulate; ++a) {
    const auto first_sample = std::uint32_t(a * (config_.batch / config_.accumulate));
    const RunContext context{config_.seed, step, first_sample};
    loss += evaluate_part(std::size_t(a), context) / config_.accumulate;
    if (!std::isfinite(loss)) fail_non_finite("loss", loss);
    evaluator_.backward(grad_, context);
  }

  const double average = 1.0 / config_.accumulate;
  const double norm = gradient_norm(model_.params) * average;
  if (!std::isfinite(norm)) fail_non_finite("gradient norm", norm);
  const double clipped = config_.clip > 0 && norm > config_.clip ? config_.clip / norm : 1;
  ++state_.step;
  optimizer_.update(model_.params, state_.step, rate, average * clipped,
                    config_.ema_exponent ? ema_decay(*config_.ema_exponent, state_.step) : 0.0);

  state_.loss_average += (loss - state_.loss_average) * std::max(0.02, 1.0 / double(state_.step));
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - clock_).count();
  clock_ = now;
  state_.seconds += seconds;
  return {state_.step,    progress(), loss, state_.loss_average, rate, norm, config_.batch / seconds,
          state_.seconds, {}};
}

void Trainer::save() {
  write_checkpoint(run_, model_, optimizer_, state_, config_.keep, talk_);
}

// A model of its own with the EMA weights.
Model Trainer::averaged_model() const {
  Model model{model_.network,    model_.preconditioner, model_.class_names,
              model_.null_class, model_.clip_x0,        ParamStore(model_.params.layout())};
  std::ranges::copy(optimizer_.ema(), model.params.values().begin());
  return model;
}

void Trainer::preview() {
  Model model = averaged_model();
  GenerateOptions options;
  options.count = options.batch = config_.previews.images;
  options.sampler = config_.previews.sampler;
  options.levels.spacing = config_.previews.spacing;
  options.seed = config_.seed;
  options.steps = std::min(config_.previews.steps, config_.timesteps);
  const std::vector<Image> images = generate(model, *device_, options);
  make_folder(run_ / "previews");
  write_png(run_ / "previews" / fmt::format("step-{:09}.png", state_.step),
            make_grid(images, config_.previews.columns, 2, 255));
}

// As the tutorials print: the loss of single batches, counted from 0 in their epoch, and what an epoch took.
void Trainer::tell(const StepReport& report, bool epoch_ends) {
  const std::int64_t in_epoch = (report.step - 1) % batches_.stream().steps_of(1);
  const std::uint64_t epoch = batches_.stream().epoch_of(std::uint32_t(report.step - 1));
  if (in_epoch == 0) epoch_began_ = report.seconds;
  if (in_epoch % config_.report_every == 0)
    talk_(fmt::format("epoch {} step {}: loss {:.5f}", epoch, in_epoch, report.loss));
  if (epoch_ends && epoch_began_)
    talk_(fmt::format("epoch {}: {:.1f} s", epoch, report.seconds - *epoch_began_));
}

bool Trainer::run(const std::function<void(const StepReport&)>& on_step, const std::atomic<bool>& stop) {
  clock_ = std::chrono::steady_clock::now();
  auto last_save = clock_;
  std::int64_t saved_step = state_.step > 0 ? state_.step : -1;
  while (progress() < 1 && !stop) {
    const double before = progress();
    StepReport report = train_step();
    if (held_out_ && held_out_->is_due(report.step, report.progress >= 1)) {
      Model averaged = averaged_model();
      report.held_out = held_out_->measure(averaged, *device_);
    }
    log_->append(report);
    on_step(report);
    const bool epoch_ends = batches_.stream().epoch_of(std::uint32_t(report.step)) >
                            batches_.stream().epoch_of(std::uint32_t(report.step - 1));
    if (config_.report_every > 0) tell(report, epoch_ends);
    const bool quarter_ends = std::floor(report.progress * 4) > std::floor(before * 4);
    const bool preview_due = config_.preview_every
                                 ? *config_.preview_every > 0 && report.step % *config_.preview_every == 0
                             : config_.previews.each_epoch ? epoch_ends
                                                           : quarter_ends;
    if (preview_due) preview();
    const bool save_due =
        config_.save_every ? report.step % *config_.save_every == 0
                           : std::chrono::duration<double>(clock_ - last_save).count() > kSecondsBetweenSaves;
    if (save_due) {
      save();
      saved_step = state_.step;
      last_save = clock_;
    }
  }
  if (saved_step != state_.step) save();
  return progress() >= 1;
}

}  // namespace diffusion
