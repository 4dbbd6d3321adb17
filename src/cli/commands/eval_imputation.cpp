#include "cli/commands/eval_imputation.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "cli/output/score_text.h"
#include "eval/imputation_evaluation.h"

namespace diffusion {

namespace {

// Training and test together: which values training never saw, hide_values() knows.
SeriesTable joined(SeriesData data) {
  for (std::size_t k = 0; k < data.history.series.size(); ++k) {
    const std::vector<double>& more = data.future->series[k].values;
    std::vector<double>& values = data.history.series[k].values;
    values.insert(values.end(), more.begin(), more.end());
  }
  return std::move(data.history);
}

std::string name_of(Hiding hiding) {
  return hiding == Hiding::points ? "points" : "blocks";
}

struct TaskResult {
  HidingTask task;
  int series, left_out, values;
  std::vector<ForecastRow> rows;
};

TaskResult run_task(const Model& model, const Device& device, const SeriesTable& table,
                    const HidingTask& task, const PathOptions& options, bool quiet) {
  const HiddenSeries hidden = hide_values(table, *model.series, task, options.seed);
  std::vector<std::vector<double>> paths;
  if (!hidden.shown.series.empty()) {
    Progress progress(fmt::format("filling {:.0f}% {}", 100 * task.share, name_of(task.hiding)), 0, quiet);
    paths = impute_paths(model, device, hidden.shown, hidden.places, options, [&](int done, int windows) {
      progress.update(double(done) / windows, fmt::format("{} of {} windows", done, windows));
    });
  }
  int values = 0;
  for (const auto& places : hidden.places) values += int(places.size());
  TaskResult result{task, int(hidden.shown.series.size()), hidden.left_out, values, {}};
  if (values > 0)  // of a short horizon, 10% may be none
    result.rows = evaluate_imputation(hidden, task, model.series->season, paths, options.seed);
  return result;
}

void print_result(const TaskResult& result) {
  print_line(fmt::format("\n{:.0f}% hidden, {}: {} values of {} series{}", 100 * result.task.share,
                         name_of(result.task.hiding), result.values, result.series,
                         result.left_out > 0 ? fmt::format(", {} left out", result.left_out) : ""));
  print_line(fmt::format("{:<24} {:>8} {:>18} {:>8} {:>18} {:>7} {:>7} {:>5} {:>5}", "", "error", "5% to 95%",
                         "CRPS", "5% to 95%", "MASE", "better", "50%", "90%"));
  for (const ForecastRow& row : result.rows) {
    const ForecastScores& s = row.scores;
    print_line(fmt::format("{:<24} {} {} {} {} {} {} {} {}  {} {}", row.name,
                           score_text(s.normalized_error, 8, 5), score_text(row.normalized_error.low, 10, 5),
                           score_text(row.normalized_error.high, 7, 5), score_text(s.crps, 8, 5),
                           score_text(row.crps.low, 10, 5), score_text(row.crps.high, 7, 5),
                           score_text(s.mase, 7, 4), percent_text(s.better_than_naive, 6, 1),
                           percent_text(s.coverage50, 4, 0), percent_text(s.coverage90, 4, 0)));
  }
}

Json result_json(const TaskResult& result) {
  Json::Array rows;
  for (const ForecastRow& row : result.rows) {
    const ForecastScores& s = row.scores;
    rows.push_back(
        Json::Object{{"name", row.name},
                     {"error", interval_json(s.normalized_error, row.normalized_error)},
                     {"crps", interval_json(s.crps, row.crps)},
                     {"mase", score_json(s.mase)},
                     {"better_than_line", interval_json(s.better_than_naive, row.better_than_naive)},
                     {"coverage50", score_json(s.coverage50)},
                     {"coverage90", score_json(s.coverage90)}});
  }
  return Json::Object{{"hidden", result.task.share}, {"as", name_of(result.task.hiding)},
                      {"values", result.values},     {"series", result.series},
                      {"left_out", result.left_out}, {"rows", std::move(rows)}};
}

}  // namespace

int eval_imputation(const Model& model, const EvalSeriesArguments& a, const EvalSeriesRun& run) {
  const SeriesTable table = joined(load_series_for(a.series, run.source, model.series->horizon, true));
  PathOptions options{.paths = a.forecast.paths, .seed = run.seed, .recipe = forecast_recipe(model)};
  if (run.steps) options.recipe->steps = *run.steps;
  const auto device = make_device(run.machine);
  Json::Array results;
  if (!run.json)
    print_line(fmt::format("{}; hidden values of the last {} of each are filled in", describe_series(table),
                           model.series->horizon));
  for (const HidingTask& task : hiding_tasks()) {
    const TaskResult result = run_task(model, *device, table, task, options, run.quiet);
    if (run.json)
      results.push_back(result_json(result));
    else
      print_result(result);
  }
  if (run.json)
    print_json(Json::Object{{"series", table.name},
                            {"horizon", model.series->horizon},
                            {"season", model.series->season},
                            {"paths", options.paths},
                            {"tasks", std::move(results)}});
  return 0;
}

}  // namespace diffusion
