#include <fmt/format.h>

#include <CLI/CLI.hpp>
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
#include "cli/output/series_csv.h"
#include "cli/output/show.h"
#include "diffusers/pipeline.h"
#include "files/fs.h"

namespace diffusion {

namespace {

struct ForecastCommand {
  std::string model, series, out, save_paths, plot, data_dir;
  bool show = false, offline = false, json = false, quiet = false;
  ForecastArguments forecast;
  PathOptions paths;
  int steps = 0;
  MachineOptions machine;
};

// Of value h of the forecast of a series. Without times, how many steps after the end, from 1.
ValueTime times_after(const SeriesTable& table) {
  return [&table](std::size_t k, int h) {
    const TimeSeries& series = table.series[k];
    return table.interval ? time_text(table, series, std::int64_t(series.values.size()) + h)
                          : fmt::format("{}", h + 1);
  };
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
  const std::vector<QuantileForecast> quantiles = quantiles_of(paths, horizon);
  std::vector<QuantileForecast> forecasts = quantiles;
  for (QuantileForecast& forecast : forecasts) forecast.spread_by(spread);
  write_file_atomically(o.out, quantiles_csv(history, forecasts, times_after(history)));
  if (!o.save_paths.empty())
    write_file_atomically(o.save_paths, paths_csv(history, paths, quantiles, spread, times_after(history)));
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
