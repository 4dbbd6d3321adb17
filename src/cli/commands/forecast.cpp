#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "base/log.h"
#include "cli/commands/commands.h"
#include "cli/options/forecast_options.h"
#include "cli/options/model_path.h"
#include "cli/options/options.h"
#include "cli/options/series_options.h"
#include "cli/output/forecast_plot.h"
#include "cli/output/picture_output.h"
#include "cli/output/show.h"
#include "diffusers/pipeline.h"
#include "files/fs.h"

namespace diffusion {

namespace {

constexpr std::array kWrittenPercents{5, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 95};

struct ForecastCommand {
  std::string model, series, out, save_paths, plot, data_dir;
  bool show = false, offline = false, json = false, quiet = false;
  ForecastArguments forecast;
  PathOptions paths;
  int steps = 0;
  MachineOptions machine;
};

// The name of a series as a field of CSV.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

// Of value h of the forecast of a series. Without times, how many steps after the end, from 1.
std::string time_text(const SeriesTable& table, const TimeSeries& series, int h) {
  if (!table.interval) return fmt::format("{}", h + 1);
  const std::int64_t time = time_of(table, series, std::int64_t(series.values.size()) + h);
  return table.has_dates ? date_text(time) : fmt::format("{}", time);
}

std::string quantiles_csv(const SeriesTable& table, const std::vector<QuantileForecast>& forecasts) {
  std::string csv = "id,time";
  for (const int percent : kWrittenPercents) csv += fmt::format(",q{:02}", percent);
  csv += '\n';
  for (std::size_t k = 0; k < forecasts.size(); ++k)
    for (int h = 0; h < forecasts[k].horizon(); ++h) {
      csv += csv_field(table.series[k].id) + ',' + time_text(table, table.series[k], h);
      for (const int percent : kWrittenPercents) csv += fmt::format(",{:.7g}", forecasts[k].at(percent, h));
      csv += '\n';
    }
  return csv;
}

// The paths, their distances from the median multiplied as those of the quantiles.
std::string paths_csv(const SeriesTable& table, const std::vector<std::vector<double>>& paths, int horizon,
                      double spread) {
  std::string csv = "id,path,time,value\n";
  const std::vector<QuantileForecast> quantiles = quantiles_of(paths, horizon);
  for (std::size_t k = 0; k < paths.size(); ++k)
    for (std::size_t i = 0; i < paths[k].size(); ++i) {
      const int h = int(i % std::size_t(horizon));
      const double median = quantiles[k].at(50, h);
      csv += fmt::format("{},{},{},{:.7g}\n", csv_field(table.series[k].id), i / std::size_t(horizon) + 1,
                         time_text(table, table.series[k], h), median + spread * (paths[k][i] - median));
    }
  return csv;
}

int run(const ForecastCommand& o) {
  if (!o.plot.empty()) check_drawing_path(o.plot);
  for (const std::string& file : {o.out, o.save_paths, o.plot})
    if (!file.empty()) check_writable_file(file);
  const Model model = read_pipeline(chosen_pipeline(o.model));
  const DataOptions source{.data_dir = o.data_dir, .allow_download = !o.offline};
  const SeriesTable history = load_series(o.series, source).history;
  check_forecast(model, history);
  PathOptions options = o.paths;
  options.paths = o.forecast.paths;
  options.recipe = forecast_recipe(model);
  if (o.steps > 0) options.recipe->steps = o.steps;
  const auto device = make_device(o.machine);
  const double spread = spread_for(o.forecast, model, *device, history, options, o.quiet);
  const auto paths = paths_with_progress("forecasting", model, *device, history, options, o.quiet);
  const int horizon = model.series->horizon;
  std::vector<QuantileForecast> forecasts = quantiles_of(paths, horizon);
  for (QuantileForecast& forecast : forecasts) forecast.spread_by(spread);
  write_file_atomically(o.out, quantiles_csv(history, forecasts));
  if (!o.save_paths.empty()) write_file_atomically(o.save_paths, paths_csv(history, paths, horizon, spread));
  if (!o.plot.empty()) write_drawing(o.plot, draw_forecasts(history, forecasts));
  if (o.show && !show_picture(render(draw_forecasts(history, forecasts)), true))
    stderr_log().line("--show: stdout is no terminal that can show pictures with writing; see --plot");
  if (o.json) {
    print_json(Json::Object{{"model", path_to_json(o.model)},
                            {"series", std::int64_t(history.series.size())},
                            {"gaps", history.gaps()},
                            {"horizon", horizon},
                            {"paths", o.forecast.paths},
                            {"spread", spread},
                            {"output", path_to_json(o.out)}});
    return 0;
  }
  print_line(fmt::format("{}; {} values each, {} paths, spread x {:.2f}: {}", describe_series(history),
                         horizon, o.forecast.paths, spread, o.out));
  return 0;
}

}  // namespace

std::function<int()> add_forecast(CLI::App& app) {
  const auto o = std::make_shared<ForecastCommand>();
  add_model_option(app, o->model)->required();
  app.add_option(
         "--series", o->series,
         "What is known: a CSV file (.gz, .xz), a column a series with an optional column of times, or\n"
         "with the columns id,time,value; or the name of a published set")
      ->required()
      ->type_name("SERIES");
  app.add_option("-o,--out", o->out, "CSV file to write: of each series and time the quantiles q05 to q95")
      ->required()
      ->type_name("FILE");
  app.add_option("--save-paths", o->save_paths, "CSV file to write with every path")->type_name("FILE");
  app.add_option(
         "--plot", o->plot,
         "Picture to write, .svg or .png: the end of up to four series, and their forecasts in bands of 50%\n"
         "and 90%")
      ->type_name("FILE");
  app.add_flag("--show", o->show, "Show that picture in the terminal");
  add_forecast_options(app, o->forecast, "Forecast");
  app.add_option("--steps", o->steps, "Steps of the sampler (default: 10)")
      ->check(in_range(1, 1000))
      ->type_name("N");
  app.add_option("--seed", o->paths.seed, "Decides every random number")->capture_default_str();
  app.add_option("--data-dir", o->data_dir,
                 "Where to look for published sets instead of DIFFUSION_DATA_DIR and the cache")
      ->type_name("DIR");
  app.add_flag("--offline", o->offline, "Never fetch data from the network");
  add_json_flag(app, o->json);
  add_quiet_flag(app, o->quiet);
  add_machine_options(app, o->machine);
  app.footer("Example:\n  diffusion forecast runs/m4 --series history.csv -o forecast.csv");
  return [o] { return run(*o); };
}

}  // namespace diffusion
