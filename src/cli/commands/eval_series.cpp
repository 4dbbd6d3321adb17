#include "cli/commands/eval_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "cli/commands/eval_imputation.h"
#include "cli/options/model_path.h"
#include "cli/output/score_text.h"
#include "diffusers/pipeline.h"
#include "eval/forecast_evaluation.h"

namespace diffusion {

namespace {

constexpr const char* kGroup = "Series";

// Of all that `diffusion eval` has; the others are for images.
constexpr std::array<std::string_view, 13> kSeriesOptions{
    "--series",  "--horizon", "--season", "--paths", "--spread",  "--steps",    "--data-dir",
    "--offline", "--seed",    "--json",   "--quiet", "--threads", "--precision"};

void check_series_options(const CLI::App& app, const EvalSeriesArguments& a, bool has_model) {
  for (const CLI::Option* option : app.get_options())
    if (const std::string name = option->get_name();
        option->count() > 0 && name.starts_with("--") &&
        std::ranges::find(kSeriesOptions, name) == kSeriesOptions.end())
      throw Error(ErrorKind::usage, fmt::format("{} is for images, and --series are none", name));
  if (has_model) return;
  for (const char* option : {"--paths", "--spread", "--steps"})
    if (app.count(option) > 0)
      throw Error(ErrorKind::usage, fmt::format("{} is for a MODEL, and there is none", option));
  if (a.series.horizon < 1)
    throw Error(ErrorKind::usage, "without a MODEL, --series needs --horizon: how many values are forecast");
}

// The model's forecasts as they are, and with their spread calibrated.
std::vector<NamedForecasts> forecasts_of(const Model& model, const EvalSeriesArguments& a,
                                         const EvalSeriesRun& run, const SeriesTable& history,
                                         double& spread) {
  PathOptions options{.paths = a.forecast.paths, .seed = run.seed, .recipe = forecast_recipe(model)};
  if (run.steps) options.recipe->steps = *run.steps;
  const auto device = make_device(run.machine);
  spread = spread_for(a.forecast, model, *device, history, options, run.quiet);
  const auto paths = paths_with_progress("forecasting", model, *device, history, options, run.quiet);
  std::vector<NamedForecasts> named{{"model", quantiles_of(paths, model.series->horizon)}};
  if (spread == 1) return named;
  named.push_back({fmt::format("model, spread x {:.2f}", spread), named.front().forecasts});
  for (QuantileForecast& forecast : named.back().forecasts) forecast.spread_by(spread);
  return named;
}

Json row_json(const ForecastRow& row) {
  const ForecastScores& s = row.scores;
  return Json::Object{{"name", row.name},
                      {"series", s.series},
                      {"series_without_scale", s.without_scale},
                      {"wql", interval_json(s.wql, row.wql)},
                      {"crps", score_json(s.crps)},
                      {"mase", score_json(s.mase)},
                      {"scaled_loss", interval_json(s.scaled_loss, row.scaled_loss)},
                      {"better_than_naive", interval_json(s.better_than_naive, row.better_than_naive)},
                      {"coverage50", score_json(s.coverage50)},
                      {"coverage80", score_json(s.coverage80)},
                      {"coverage90", score_json(s.coverage90)}};
}

void print_rows(const std::vector<ForecastRow>& rows) {
  print_line(fmt::format("{:<24} {:>8} {:>18} {:>8} {:>7} {:>7} {:>15} {:>7} {:>5} {:>5} {:>5}", "", "WQL",
                         "5% to 95%", "CRPS", "MASE", "scaled", "5% to 95%", "better", "50%", "80%", "90%"));
  for (const ForecastRow& row : rows) {
    const ForecastScores& s = row.scores;
    print_line(fmt::format("{:<24} {} {} {}  {} {} {} {} {}  {} {} {} {}", row.name, score_text(s.wql, 8, 5),
                           score_text(row.wql.low, 9, 5), score_text(row.wql.high, 7, 5),
                           score_text(s.crps, 8, 5), score_text(s.mase, 7, 4),
                           score_text(s.scaled_loss, 7, 4), score_text(row.scaled_loss.low, 7, 4),
                           score_text(row.scaled_loss.high, 6, 4), percent_text(s.better_than_naive, 6, 1),
                           percent_text(s.coverage50, 4, 0), percent_text(s.coverage80, 4, 0),
                           percent_text(s.coverage90, 4, 0)));
  }
  if (const int without = rows.front().scores.without_scale; without > 0)
    print_line(
        fmt::format("{} series have no scale (constant), or no value to compare with, and are not in MASE, "
                    "scaled and better",
                    without));
}

}  // namespace

void add_eval_series_options(CLI::App& app, EvalSeriesArguments& a) {
  add_series_options(app, a.series, kGroup);
  add_forecast_options(app, a.forecast, kGroup);
}

int eval_series(const CLI::App& app, const EvalSeriesArguments& a, const EvalSeriesRun& run) {
  check_series_options(app, a, !run.model.empty());
  std::optional<Model> model;
  if (!run.model.empty()) model = read_pipeline(chosen_pipeline(run.model));
  if (model && !model->series)
    throw Error(ErrorKind::usage, "this model makes pictures, and forecasts no series");
  const int horizon = model ? model->series->horizon : a.series.horizon;
  if (a.series.horizon > 0 && a.series.horizon != horizon)
    throw Error(ErrorKind::usage,
                fmt::format("--horizon is {}, and {} {}", a.series.horizon,
                            model->series->task == SeriesTask::impute ? "training of the model left out"
                                                                      : "the model forecasts",
                            horizon));
  if (model && a.series.season > 0 && a.series.season != model->series->season)
    throw Error(ErrorKind::usage, fmt::format("--season is {}, and that of the model {}", a.series.season,
                                              model->series->season));
  if (model && model->series->task == SeriesTask::impute) {
    if (app.count("--spread") > 0)
      throw Error(ErrorKind::usage, "--spread is for models that forecast, and this one fills gaps");
    return eval_imputation(*model, a, run);
  }
  const SeriesData data = load_series_for(a.series, run.source, horizon, true);
  const int season = model ? model->series->season : season_of(a.series, data.history);
  double spread = 1;
  std::vector<NamedForecasts> own;
  if (model) own = forecasts_of(*model, a, run, data.history, spread);
  const std::vector<ForecastRow> rows =
      evaluate_forecasts({data.history, *data.future, horizon, season, 7 * season}, own);
  if (run.json) {
    Json::Array json_rows;
    for (const ForecastRow& row : rows) json_rows.push_back(row_json(row));
    print_json(Json::Object{{"series", data.history.name},
                            {"horizon", horizon},
                            {"season", season},
                            {"gaps", data.history.gaps() + data.future->gaps()},
                            {"spread", spread},
                            {"forecasts", std::move(json_rows)}});
    return 0;
  }
  print_line(fmt::format("{}; {} more values of each are forecast", describe_series(data.history), horizon));
  print_rows(rows);
  return 0;
}

}  // namespace diffusion
