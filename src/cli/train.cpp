#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cmath>
#include <csignal>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/data_options.h"
#include "cli/options.h"
#include "train/held_out.h"
#include "train/outlook.h"
#include "train/run_log.h"
#include "train/trainer.h"

namespace diffusion {

namespace {

std::atomic<bool> stop_requested = false;

// The first signal asks for a stop after the current step; a second one ends the process at once.
extern "C" void on_signal(int) {
  if (stop_requested.exchange(true)) std::_Exit(130);
}

struct TrainOptions {
  std::string data = "fashion-mnist", out, preset, precision, objective, schedule, loss, weight;
  DataArguments source;
  TrainConfig config;  // values given on the command line, applied over the preset by `given`
  bool unconditional = false, json = false, quiet = false, drop_last = false, tensorboard = false;
  double minutes = 0, epochs = 0, dropout = 0;
  std::int64_t steps = 0, save_every = 0, preview_every = 0, held_out_every = 0;
};

Precision parse_precision(const std::string& name) {
  for (Precision p : {Precision::automatic, Precision::f32, Precision::bf16})
    if (to_string(p) == name) return p;
  throw Error(ErrorKind::usage, fmt::format("--precision is \"{}\"; accepted are: auto, f32, bf16", name));
}

void set_dropout(TrainConfig& c, double probability) {
  auto* unet = std::get_if<UNetConfig>(&c.network);
  if (!unet)
    throw Error(ErrorKind::usage,
                fmt::format("--dropout is not for the preset {}, whose network has none", c.preset));
  unet->dropout = probability;
}

// The preset, with everything that was given on the command line in its place.
TrainConfig resolve(const CLI::App& app, const TrainOptions& o) {
  const auto given = [&](const char* option) { return app.count(option) > 0; };
  std::string preset = o.preset;
  if (preset.empty()) preset = o.data == "mnist" ? "mnist" : "fashion-mnist";
  TrainConfig c = preset_config(preset);
  c.data = o.data;
  c.form = parse_form(app, o.source);
  c.shards = o.source.shards;
  c.shard = o.source.shard;
  if (given("--drop-last")) c.drop_last = o.drop_last;
  const TrainConfig& over = o.config;
  if (given("--batch")) c.batch = over.batch;
  if (given("--accumulate")) c.accumulate = over.accumulate;
  if (given("--lr")) c.learning_rate = over.learning_rate;
  if (given("--warmup")) c.warmup = over.warmup;
  if (given("--weight-decay")) c.weight_decay = over.weight_decay;
  if (given("--clip")) c.clip = over.clip;
  if (given("--label-dropout")) c.label_dropout = over.label_dropout;
  if (given("--timesteps")) c.timesteps = over.timesteps;
  if (given("--beta-start")) c.beta_start = over.beta_start;
  if (given("--beta-end")) c.beta_end = over.beta_end;
  if (given("--dropout")) set_dropout(c, o.dropout);
  if (given("--objective")) c.objective = parse_objective(o.objective);
  if (given("--schedule")) c.schedule = parse_schedule_kind(o.schedule);
  if (given("--loss")) c.loss = parse_loss_kind(o.loss);
  if (given("--weight")) c.weighting.kind = parse_weighting_kind(o.weight);
  if (given("--precision")) c.precision = parse_precision(o.precision);
  for (const char* option : {"--schedule", "--beta-start", "--beta-end"})
    if (given(option) && (c.objective == Objective::edm || c.objective == Objective::flow))
      throw Error(ErrorKind::usage,
                  fmt::format("{} is for the objectives epsilon, v and x0; {} has no noise schedule", option,
                              to_string(c.objective)));
  c.seed = over.seed;
  c.threads = over.threads;
  c.keep = over.keep;
  if (given("--flip")) c.flip = over.flip;
  if (given("--report-every")) c.report_every = over.report_every;
  c.conditional = c.conditional && !o.unconditional;
  const bool budget_given = given("--minutes") || given("--steps") || given("--epochs");
  if (budget_given) c.budget = {};
  if (given("--minutes")) c.budget.minutes = o.minutes;
  if (given("--steps")) c.budget.steps = o.steps;
  if (given("--epochs")) c.budget.epochs = o.epochs;
  if (!budget_given && !c.budget.epochs) c.budget.minutes = 15;
  if (given("--save-every")) c.save_every = o.save_every;
  if (given("--preview-every")) c.preview_every = o.preview_every;
  if (given("--held-out-every")) c.held_out_every = o.held_out_every;
  c.tensorboard = o.tensorboard;
  return c;
}

struct HeldOutImages {
  std::optional<Dataset> images;
  std::string why_not;  // for the person; empty if there are images, or none are wanted
};

// The test images of the data set. Without any, training goes on without them, unless they were asked for.
HeldOutImages load_held_out(DataLoader& loader, const TrainConfig& config, const Dataset& training) {
  if (config.held_out_every == 0) return {};
  std::string reason;
  try {
    Dataset images = loader.load(config.data, Split::test).dataset;
    const bool conditional = config.conditional && !training.labels.empty();
    reason = why_not_held_out(training, images, conditional);
    if (reason.empty()) return {std::move(images), {}};
    reason = fmt::format("{}: {}", training.name, reason);
  } catch (const Error& error) {
    reason = error.what();
  }
  if (config.held_out_every) throw Error(ErrorKind::usage, "--held-out-every needs test images. " + reason);
  return {std::nullopt, "no held-out loss: " + reason};
}

constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

std::string note(const StepReport& report, double held_out) {
  const std::string measured = std::isnan(held_out) ? "" : fmt::format("  held out {:.4f}", held_out);
  return fmt::format("step {}  loss {:.4f}{}  {:.0f} images/s", report.step, report.loss_average, measured,
                     report.images_per_second);
}

// The result on stdout, and whether more steps will help.
void report(const TrainOptions& o, const Trainer& trainer, bool complete, double loss) {
  const std::filesystem::path latest = std::filesystem::path(o.out) / "latest";
  const RunLog log = read_run_log(o.out);
  const Outlook outlook = outlook_of(log);
  if (!o.json) {
    print_line(fmt::format("{} after {} steps, {:.0f} s; model: {}", complete ? "complete" : "stopped",
                           trainer.step(), trainer.seconds(), latest.string()));
    if (complete && outlook.kind != OutlookKind::unknown) print_line(describe(outlook));
    return;
  }
  print_json(Json::Object{
      {"run", o.out},
      {"model", latest.string()},
      {"complete", complete},
      {"step", trainer.step()},
      {"seconds", trainer.seconds()},
      {"loss", loss},
      {"held_out_loss", log.held_out.empty() ? Json(nullptr) : Json(log.held_out.back().measured.loss)},
      {"outlook", to_string(outlook.kind)},
      {"outlook_text", describe(outlook)},
      {"parameters", trainer.model().params.layout().parameter_count()}});
}

int run(const CLI::App& app, const TrainOptions& o) {
  const TrainConfig config = resolve(app, o);
  validate(config);  // before data are fetched
  const auto talk = [](const std::string& message) { stderr_log().line(message); };
  const Preconditioner preconditioner = make_preconditioner(config);
  if (const NoiseSchedule* schedule = preconditioner.schedule())
    if (const auto warning = terminal_snr_warning(*schedule)) stderr_log().warning(*warning);

  DataLoader loader(app, o.source, o.quiet);
  Dataset dataset = loader.load(config.data).dataset;
  HeldOutImages held_out = load_held_out(loader, config, dataset);
  const std::string summary =
      fmt::format("{}: {} images of {}x{}x{}", dataset.name, dataset.count(), dataset.example_height(),
                  dataset.example_width(), dataset.channels);
  Trainer trainer(config, std::move(dataset), o.out, talk, std::move(held_out.images));
  if (!o.quiet && !held_out.why_not.empty()) talk(held_out.why_not);
  if (!o.quiet)
    talk(fmt::format(
        "{}; {} parameters, {} on {} threads ({})", summary,
        trainer.model().params.layout().parameter_count(),
        to_string(config.precision == Precision::automatic ? fastest_precision() : config.precision),
        thread_count(), cpu_description()));

  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);

  Progress progress("training", trainer.total_steps(), o.quiet);
  StepReport last{};
  double measured = kNotMeasured;
  const bool complete = trainer.run(
      [&](const StepReport& r) {
        last = r;
        if (r.held_out) measured = r.held_out->loss;
        progress.update(r.progress, note(r, measured));
      },
      stop_requested);
  progress.finish();
  report(o, trainer, complete, last.loss_average);
  if (complete) return 0;
  talk("stopped by a signal and saved; the same command goes on from here");
  return kExitInterrupted;
}

}  // namespace

std::function<int()> add_train(CLI::App& app) {
  const auto o = std::make_shared<TrainOptions>();
  std::string preset_names;
  for (const Preset& p : presets()) preset_names += fmt::format("\n  {}: {}", p.name, p.summary);

  app.add_option("--data", o->data, data_help())->type_name("DATA")->capture_default_str();
  app.add_option("--out", o->out, "Directory of the run; an unfinished run there is resumed")->required();
  app.add_option("--preset", o->preset, "Defaults for everything below:" + preset_names);

  app.add_option("--minutes", o->minutes, "Train for so long (default: 15, or the preset's epochs)")
      ->group("How long");
  app.add_option("--steps", o->steps, "Train so many steps: reproducible to the bit")->group("How long");
  app.add_option("--epochs", o->epochs, "Train so many passes over the data")->group("How long");

  app.add_option("--batch", o->config.batch, "Images per step")->group("Optimization");
  app.add_option("--accumulate", o->config.accumulate, "Compute a batch in so many parts, to save memory")
      ->group("Optimization");
  app.add_option("--lr", o->config.learning_rate, "Highest learning rate")->group("Optimization");
  app.add_option("--warmup", o->config.warmup,
                 "Share of the run in which the rate rises; then it falls as a cosine")
      ->group("Optimization");
  app.add_option("--weight-decay", o->config.weight_decay, "AdamW's decoupled decay")->group("Optimization");
  app.add_option("--clip", o->config.clip, "Largest gradient norm; 0: no limit")->group("Optimization");
  app.add_option("--dropout", o->dropout, "Dropout inside the residual blocks")->group("Optimization");

  app.add_option("--objective", o->objective, "What the network predicts: epsilon, v, x0, edm or flow")
      ->group("Diffusion");
  app.add_option("--schedule", o->schedule, "linear, scaled_linear, cosine, quadratic or sigmoid")
      ->group("Diffusion");
  app.add_option("--timesteps", o->config.timesteps,
                 "Length of the schedule; of a flow, its time 1 for the network")
      ->group("Diffusion");
  app.add_option("--beta-start", o->config.beta_start, "First beta of the schedule")->group("Diffusion");
  app.add_option("--beta-end", o->config.beta_end, "Last beta of the schedule")->group("Diffusion");
  app.add_option("--loss", o->loss, "mse, huber or l1")->group("Diffusion");
  app.add_option("--weight", o->weight, "Weight of the noise levels: uniform, p2 or min_snr")
      ->group("Diffusion");

  add_data_options(app, o->source);
  app.add_flag("--drop-last", o->drop_last,
               "End every epoch with its last full batch (default: batches run on across epochs)")
      ->group("Data");
  app.add_flag("--unconditional", o->unconditional, "Ignore the labels")->group("Data");
  app.add_option("--label-dropout", o->config.label_dropout,
                 "Share of labels hidden, for guidance when sampling")
      ->group("Data");
  app.add_flag("--flip,!--no-flip", o->config.flip, "Mirror images at random (not for clothes or digits)")
      ->group("Data");

  app.add_option("--precision", o->precision, "auto, f32 or bf16; auto is the fastest this CPU has")
      ->group("Machine");
  app.add_option("--threads", o->config.threads, "Threads; 0: all cores")->group("Machine");
  app.add_option("--seed", o->config.seed, "Decides every random number")->group("Machine");

  app.add_option("--save-every", o->save_every, "Steps between checkpoints (default: one a minute)")
      ->group("Output");
  app.add_option("--keep", o->config.keep, "Checkpoints to keep")->capture_default_str()->group("Output");
  app.add_option("--preview-every", o->preview_every,
                 "Steps between preview pictures; 0: none (default: 4 in a run)")
      ->group("Output");
  app.add_option("--held-out-every", o->held_out_every,
                 "Steps between measurements of the loss on test images; 0: never\n"
                 "(default: as takes 1% of the time)")
      ->group("Output");
  app.add_flag("--tensorboard", o->tensorboard, "Write event files for TensorBoard into the run, too")
      ->group("Output");
  app.add_option("--report-every", o->config.report_every,
                 "Steps between lines with the loss of the batch; 0: none")
      ->group("Output");
  app.add_flag("--json", o->json, "Print the result as JSON")->group("Output");
  app.add_flag("--quiet", o->quiet, "No progress line")->group("Output");
  return [&app, o] { return run(app, *o); };
}

}  // namespace diffusion
