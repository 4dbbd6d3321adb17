#include "cli/options/training_run.h"

#include <fmt/format.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/options/options.h"
#include "cli/options/stop_signal.h"
#include "train/outlook.h"
#include "train/run_log.h"

namespace diffusion {

namespace {

OptimizerKind parse_optimizer(const std::string& name) {
  for (OptimizerKind kind : {OptimizerKind::adamw, OptimizerKind::muon})
    if (to_string(kind) == name) return kind;
  throw Error(ErrorKind::usage, fmt::format("--optimizer is \"{}\"; accepted are: adamw, muon", name));
}

// The outlook, with the options that it speaks of.
std::string advice(const Outlook& outlook) {
  switch (outlook.kind) {
    case OutlookKind::overfitting:
      return describe(outlook) + " (--dropout, --flip)";
    case OutlookKind::rising:
      return describe(outlook) + " (--lr)";
    default:
      return describe(outlook);
  }
}

constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

std::string note(const StepReport& report, double held_out) {
  const std::string measured = std::isnan(held_out) ? "" : fmt::format("  held out {:.4f}", held_out);
  return fmt::format("step {}  loss {:.4f}{}  {:.0f} images/s", report.step, report.loss_average, measured,
                     report.images_per_second);
}

// The result on stdout, and whether more steps will help.
void report(const RunOptions& o, const TrainingRun& training, bool complete, double loss) {
  const std::filesystem::path latest = std::filesystem::path(o.out) / "latest";
  const RunLog log = read_run_log(o.out);
  const Outlook outlook = outlook_of(log);
  if (!o.json) {
    print_line(fmt::format("{} after {} steps, {:.0f} s; model: {}", complete ? "complete" : "stopped",
                           training.step(), training.seconds(), latest.string()));
    if (complete && outlook.kind != OutlookKind::unknown) print_line(advice(outlook));
    return;
  }
  print_json(Json::Object{
      {"run", o.out},
      {"model", latest.string()},
      {"complete", complete},
      {"step", training.step()},
      {"seconds", training.seconds()},
      {"loss", loss},
      {"held_out_loss", log.held_out.empty() ? Json(nullptr) : Json(log.held_out.back().measured.loss)},
      {"outlook", to_string(outlook.kind)},
      {"outlook_text", describe(outlook)},
      {"parameters", training.model().params.layout().parameter_count()}});
}

}  // namespace

void add_place_options(CLI::App& app, RunOptions& o, const std::string& default_data) {
  app.add_option("--data", o.data, fmt::format("{}\n(default: {})", data_help(), default_data))
      ->type_name("DATA");
  app.add_option("--out", o.out, "Directory of the run; an unfinished run there is resumed")->required();
}

void add_budget_options(CLI::App& app, RunOptions& o, const std::string& default_budget) {
  const char* group = "How long";
  app.add_option("--minutes", o.minutes, fmt::format("Train for so long (default: {})", default_budget))
      ->group(group);
  app.add_option("--steps", o.steps, "Train so many steps: reproducible to the bit")->group(group);
  app.add_option("--epochs", o.epochs, "Train so many passes over the data")->group(group);
}

void add_optimization_options(CLI::App& app, RunOptions& o) {
  const char* group = "Optimization";
  app.add_option("--batch", o.config.batch, "Images per step")->group(group);
  app.add_option("--accumulate", o.config.accumulate, "Compute a batch in so many parts, to save memory")
      ->group(group);
  app.add_option("--optimizer", o.optimizer, "adamw, or muon: Muon for matrices and AdamW for the rest")
      ->group(group);
  app.add_option("--lr", o.config.learning_rate, "Highest learning rate")->group(group);
  app.add_option("--warmup", o.config.warmup,
                 "Share of the run in which the rate rises; then it falls as a cosine")
      ->group(group);
  app.add_option("--weight-decay", o.config.weight_decay, "Decoupled weight decay")->group(group);
  app.add_option("--clip", o.config.clip, "Largest gradient norm; 0: no limit")->group(group);
}

void add_batch_options(CLI::App& app, RunOptions& o) {
  add_data_options(app, o.source);
  app.add_flag("--drop-last", o.drop_last,
               "End every epoch with its last full batch (default: batches run on across epochs)")
      ->group("Data");
  app.add_option("--label-dropout", o.config.label_dropout,
                 "Share of labels hidden, for guidance when sampling")
      ->group("Data");
  app.add_flag("--flip,!--no-flip", o.config.flip, "Mirror images at random (not for clothes or digits)")
      ->group("Data");
}

void add_run_machine_options(CLI::App& app, RunOptions& o) {
  app.add_option("--precision", o.precision, "auto, f32 or bf16; auto is the fastest this CPU has")
      ->group("Machine");
  app.add_option("--threads", o.config.threads, "Threads; 0: all cores")->group("Machine");
  app.add_option("--seed", o.config.seed, "Decides every random number")->group("Machine");
}

void add_run_output_options(CLI::App& app, RunOptions& o) {
  const char* group = "Output";
  app.add_option("--save-every", o.save_every, "Steps between checkpoints (default: one a minute)")
      ->group(group);
  app.add_option("--keep", o.config.keep, "Checkpoints to keep")->capture_default_str()->group(group);
  app.add_option("--preview-every", o.preview_every,
                 "Steps between preview pictures; 0: none (default: 4 in a run)")
      ->group(group);
  app.add_flag("--tensorboard", o.tensorboard, "Write event files for TensorBoard into the run, too")
      ->group(group);
  app.add_option("--report-every", o.config.report_every,
                 "Steps between lines with the loss of the batch; 0: none")
      ->group(group);
  app.add_flag("--json", o.json, "Print the result as JSON")->group(group);
  app.add_flag("--quiet", o.quiet, "No progress line")->group(group);
}

void apply_run_options(const CLI::App& app, const RunOptions& o, TrainConfig& c) {
  const auto given = [&](const char* option) { return app.count(option) > 0; };
  const TrainConfig& over = o.config;
  if (given("--data")) c.data = o.data;
  c.form = parse_form(app, o.source, c.form);
  c.shards = o.source.shards;
  c.shard = o.source.shard;
  if (given("--drop-last")) c.drop_last = o.drop_last;
  if (given("--batch")) c.batch = over.batch;
  if (given("--accumulate")) c.accumulate = over.accumulate;
  if (given("--optimizer")) c.optimizer = parse_optimizer(o.optimizer);
  if (given("--lr")) c.learning_rate = over.learning_rate;
  if (given("--warmup")) c.warmup = over.warmup;
  if (given("--weight-decay")) c.weight_decay = over.weight_decay;
  if (given("--clip")) c.clip = over.clip;
  if (given("--label-dropout")) c.label_dropout = over.label_dropout;
  if (given("--flip")) c.flip = over.flip;
  if (given("--precision")) c.precision = parse_precision(o.precision);
  c.seed = over.seed;
  c.threads = over.threads;
  c.keep = over.keep;
  if (given("--report-every")) c.report_every = over.report_every;
  if (given("--minutes") || given("--steps") || given("--epochs")) c.budget = {};
  if (given("--minutes")) c.budget.minutes = o.minutes;
  if (given("--steps")) c.budget.steps = o.steps;
  if (given("--epochs")) c.budget.epochs = o.epochs;
  if (given("--save-every")) c.save_every = o.save_every;
  if (given("--preview-every")) c.preview_every = o.preview_every;
  c.tensorboard = o.tensorboard;
}

void talk(const std::string& message) {
  stderr_log().line(message);
}

std::string summary_of(const Dataset& dataset) {
  return fmt::format("{}: {} images of {}x{}x{}", dataset.name, dataset.count(), dataset.example_height(),
                     dataset.example_width(), dataset.channels);
}

void describe_run(const TrainingRun& training, const std::string& data_summary, const TrainConfig& config) {
  talk(fmt::format(
      "{}; {} parameters, {} on {} threads ({})", data_summary,
      training.model().params.layout().parameter_count(),
      to_string(config.precision == Precision::automatic ? fastest_precision() : config.precision),
      thread_count(), cpu_description()));
}

int train_to_end(TrainingRun& training, const RunOptions& o) {
  const std::atomic<bool>& stop = stop_on_signal();
  Progress progress("training", training.total_steps(), o.quiet);
  StepReport last{};
  double measured = kNotMeasured;
  const bool complete = training.train(
      [&](const StepReport& r) {
        last = r;
        if (r.held_out) measured = r.held_out->loss;
        progress.update(r.progress, note(r, measured));
      },
      stop);
  progress.finish();
  report(o, training, complete, last.loss_average);
  if (complete) return 0;
  talk("stopped by a signal and saved; the same command goes on from here");
  return kExitInterrupted;
}

}  // namespace diffusion
