#include "cli/options/training_run.h"

#include <fmt/format.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include <diffusion/error.h>
#include "base/log.h"
#include "base/progress.h"
#include "cli/options/options.h"
#include "cli/options/stop_signal.h"
#include "train/outlook.h"
#include "train/patience.h"
#include "train/presets.h"
#include "train/run_agreement.h"
#include "train/run_log.h"

namespace diffusion {

namespace {

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
void report(const RunOptions& o, const TrainingRun& training, const std::optional<Patience>& patience,
            bool complete, double loss) {
  const std::filesystem::path latest = std::filesystem::path(o.out) / "latest";
  const bool has_best = patience && patience->best_loss();
  const RunLog log = read_run_log(o.out);
  const Outlook outlook = outlook_of(log);
  if (!o.json) {
    print_line(fmt::format("{} after {} steps, {:.0f} s; model: {}", complete ? "complete" : "stopped",
                           training.step(), training.seconds(), latest.string()));
    if (has_best)
      print_line(fmt::format("smallest held-out loss {:.4f} after step {}: {}", *patience->best_loss(),
                             patience->best_step(), (std::filesystem::path(o.out) / "best").string()));
    if (complete && outlook.kind != OutlookKind::unknown) print_line(advice(outlook));
    return;
  }
  Json::Object json{
      {"run", o.out},
      {"model", latest.string()},
      {"complete", complete},
      {"step", training.step()},
      {"seconds", training.seconds()},
      {"loss", loss},
      {"held_out_loss", log.held_out.empty() ? Json(nullptr) : Json(log.held_out.back().measured.loss)},
      {"outlook", to_string(outlook.kind)},
      {"outlook_text", describe(outlook)},
      {"parameters", training.model().params.layout().parameter_count()}};
  if (has_best)
    json["best"] = Json::Object{{"model", (std::filesystem::path(o.out) / "best").string()},
                                {"step", patience->best_step()},
                                {"held_out_loss", *patience->best_loss()}};
  print_json(Json(std::move(json)));
}

// Of the leader alone, since only that measures.
std::optional<Patience> patience_of(const RunOptions& o, const TrainingRun& training,
                                    const Communicator& communicator) {
  if (o.patience == 0 || !communicator.leads()) return std::nullopt;
  if (!training.measures_held_out())
    throw Error(ErrorKind::usage, "--patience needs a held-out loss, and none is measured");
  return Patience(o.patience, training.step() > 0 ? read_run_log(o.out) : RunLog{});
}

}  // namespace

void add_run_options(CLI::App& app, RunOptions& o, RunKind kind, const std::string& default_data,
                     const std::string& default_budget) {
  app.add_option("--data", o.data, fmt::format("{}\n(default: {})", data_help(), default_data))
      ->type_name("DATA");
  app.add_option("--out", o.out, "Directory of the run; an unfinished run there is resumed")->required();

  for (const char* group : {"How long", "Optimization", "Diffusion"}) o.fields.add(app, group, kind);
  CLI::Option* minutes = app.get_option("--minutes");
  minutes->description(fmt::format("{} (default: {})", minutes->get_description(), default_budget));
  app.add_option("--patience", o.patience,
                 "Stop when the held-out loss was not smaller than before in so many measurements, and keep\n"
                 "the model of the smallest in RUN/best")
      ->check(in_range(1, 1'000'000))
      ->type_name("N")
      ->group("How long");
  add_data_options(app, o.source);
  add_caption_options(app, o.captions);
  for (const char* group : {"Data", "Machine", "Output"}) o.fields.add(app, group, kind);
  add_processes_options(app, o.processes);
  app.add_flag("--json", o.json, "Print the result as JSON")->group("Output");
  app.add_flag("--quiet", o.quiet, "No progress line")->group("Output");
}

void apply_run_options(const CLI::App& app, const RunOptions& o, TrainConfig& c) {
  if (app.count("--data") > 0) c.data = o.data;
  c.form = parse_form(app, o.source, c.form);
  c.shards = o.source.shards;
  c.shard = o.source.shard;
  for (const char* budget : {"minutes", "steps", "epochs"})
    if (o.fields.given(budget)) c.budget = {};
  o.fields.apply(c);
  if (!o.fields.given("slices")) fit_slices_to_batch(c);
  if (!c.budget.minutes && !c.budget.steps && !c.budget.epochs) c.budget.minutes = 15;
}

void set_dropout(TrainConfig& c, double probability) {
  if (!traits_of(c.network).takes_dropout)
    throw Error(ErrorKind::usage,
                fmt::format("--dropout is not for the preset {}, whose network has none", c.preset));
  c.network = with_dropout(std::move(c.network), probability);
}

void talk(const std::string& message) {
  stderr_log().line(message);
}

TrainingRun::Report talk_of(const Communicator& communicator) {
  return communicator.leads() ? talk : [](const std::string&) {};
}

CaptionOptions captions_for(const CLI::App& app, const RunOptions& o, const TrainConfig& config) {
  CaptionOptions captions = parse_captions(app, o.captions);
  const bool words = traits_of(config.network).text_length() > 0;
  if (words && app.count("--captions") == 0) captions.from = CaptionsFrom::images;
  if (words && captions.from == CaptionsFrom::none)
    throw Error(ErrorKind::usage, "--captions is none, but the network is told words");
  if (!words && captions.from != CaptionsFrom::none)
    throw Error(ErrorKind::usage,
                "--captions is for networks that are told words, such as that of the preset words-64");
  return captions;
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

int train_to_end(TrainingRun& training, const RunOptions& o, const Communicator& communicator) {
  const std::atomic<bool>& stop = stop_on_signal();
  std::optional<Patience> patience = patience_of(o, training, communicator);
  std::atomic<bool> stops = patience && patience->is_over();
  Progress progress("training", training.total_steps(), o.quiet);
  StepReport last{};
  double measured = kNotMeasured;
  const bool complete = training.train(
      [&](const StepReport& r) {
        last = r;
        if (r.held_out) measured = r.held_out->loss;
        if (r.held_out && patience && patience->add(r.step, r.held_out->loss)) training.write_best();
        if (stop || (patience && patience->is_over())) stops = true;
        progress.update(r.progress, note(r, measured));
      },
      stops);
  progress.finish();
  const bool early = any(communicator, patience && patience->is_over());
  communicator.close();
  if (communicator.leads()) report(o, training, patience, complete || early, last.loss_average);
  if (complete || early) return 0;
  if (communicator.leads()) talk("stopped by a signal and saved; the same command goes on from here");
  return kExitInterrupted;
}

}  // namespace diffusion
