#include "cli/commands/train_series.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include <diffusion/error.h>
#include "cli/options/options.h"
#include "data/series_windows.h"
#include "train/config_checks.h"
#include "train/held_out_images.h"
#include "train/presets.h"

namespace diffusion {

namespace {

constexpr int kContextSeasons = 10, kImputeContextSeasons = 14;

void refuse_image_options(const CLI::App& app) {
  for (const char* option : {"--data", "--from", "--size", "--channels", "--background", "--random-crop",
                             "--shards", "--held-out-list", "--captions", "--caption-column",
                             "--max-uncaptioned", "--max-broken", "--text-encoder", "--flip"})
    if (app.count(option) > 0)
      throw Error(ErrorKind::usage, fmt::format("{} is for images, and --series are none", option));
}

SeriesTask task_of(const TrainSeriesArguments& a) {
  return a.task == "impute" ? SeriesTask::impute : SeriesTask::forecast;
}

SeriesForm form_for(const TrainSeriesArguments& a, const SeriesTable& table, const NetworkConfig& network) {
  const int season = season_of(a.series, table);
  const int seasons = task_of(a) == SeriesTask::impute ? kImputeContextSeasons : kContextSeasons;
  SeriesForm form =
      series_form(task_of(a), season, a.series.horizon, a.context > 0 ? a.context : seasons * season,
                  traits_of(network).size_multiple);
  form.calendar = table.has_dates;
  return form;
}

}  // namespace

void add_train_series_options(CLI::App& app, TrainSeriesArguments& a) {
  add_series_options(app, a.series, "Series");
  app.add_option(
         "--task", a.task,
         "forecast: say what comes next. impute: fill gaps; training hides random values, --context\n"
         "is how many the model sees at once (default: 14 seasons), and --horizon how many at the end\n"
         "training never sees")
      ->check(CLI::IsMember({"forecast", "impute"}))
      ->capture_default_str()
      ->group("Series");
  app.add_option("--context", a.context,
                 "Values before them that the model sees, or some more (default: 10 seasons)")
      ->check(in_range(1, 1 << 20))
      ->type_name("L")
      ->group("Series");
}

int train_series(const CLI::App& app, RunOptions& run, const TrainSeriesArguments& a,
                 const std::string& preset) {
  refuse_image_options(app);
  if (a.series.horizon < 1)
    throw Error(
        ErrorKind::usage,
        "--series needs --horizon, how many values are to be forecast, or, with --task impute, how many "
        "at the end training never sees");
  TrainConfig config = preset_config(preset.empty() ? "series" : preset);
  apply_run_options(app, run, config);
  if (app.count("--dropout") > 0) set_dropout(config, app.get_option("--dropout")->as<double>());
  config.data = a.series.series;
  config.conditional = config.clip_samples = false;
  const Communicator communicator = join(run.processes, run.quiet, run.json);
  const TrainingRun::Report tell = talk_of(communicator);
  const DataOptions source{.data_dir = run.source.data_dir, .allow_download = !run.source.offline};
  const SeriesTable table = load_after_leader(
      communicator, [&] { return load_series_for(a.series, source, a.series.horizon, false).history; });
  config.series = form_for(a, table, config.network);
  validate(config);
  const auto windows = std::make_shared<const SeriesWindows>(table, *config.series, Split::train);
  Dataset dataset = series_dataset(windows, table, *config.series);
  HeldOutImages held_out = load_held_out(config, dataset, [&] {
    return series_dataset(std::make_shared<const SeriesWindows>(table, *config.series, Split::test), table,
                          *config.series);
  });
  if (!windows->left_out().empty())
    tell(fmt::format("{} series are too short and left out, {} among them", windows->left_out().size(),
                     windows->left_out().front()));
  if (!run.quiet && !held_out.why_not.empty()) talk(held_out.why_not);
  const std::string summary =
      config.series->task == SeriesTask::impute
          ? fmt::format("{}; {} windows of {} values; preset {}", describe_series(table), windows->count(),
                        config.series->cells(), config.preset)
          : fmt::format("{}; {} windows of {} and {} values; preset {}", describe_series(table),
                        windows->count(), config.series->context(), config.series->horizon, config.preset);
  TrainingRun training(config, std::move(dataset), run.out, tell, std::move(held_out.images), {}, {},
                       communicator);
  if (!run.quiet) describe_run(training, summary, config);
  return train_to_end(training, run, communicator);
}

}  // namespace diffusion
