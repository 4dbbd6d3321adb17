#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "base/log.h"
#include "base/progress.h"
#include "cli/commands/commands.h"
#include "cli/options/model_path.h"
#include "cli/options/options.h"
#include "cli/options/series_options.h"
#include "cli/output/forecast_plot.h"
#include "cli/output/picture_output.h"
#include "cli/output/series_csv.h"
#include "cli/output/show.h"
#include "data/series_sets.h"
#include "diffusers/pipeline.h"
#include "diffusion/impute_paths.h"
#include "files/fs.h"
#include "series/filled_text.h"

namespace diffusion {

namespace {

struct ImputeCommand {
  std::string model, series, out, quantiles, save_paths, plot;
  bool show = false, json = false, quiet = false;
  PathOptions paths;
  int steps = 0;
  MachineOptions machine;
};

SeriesText read_gaps(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored))
    throw Error(ErrorKind::usage, fmt::format("there is no file {}; accepted is a CSV file", path),
                {"series"});
  SeriesText file = read_series_text(path);
  if (!file.gaps.empty()) return file;
  const std::int64_t left_out = file.table.gaps();
  throw Error(ErrorKind::usage,
              fmt::format("{}: nothing is to be filled: no cell is empty, NaN or NA{}", path,
                          left_out > 0 ? fmt::format(" ({} times are left out; write lines for them to have "
                                                     "them filled)",
                                                     left_out)
                                       : ""),
              {"series"});
}

GapPlaces places_of(const SeriesText& file) {
  GapPlaces places(file.table.series.size());
  for (const GapCell& gap : file.gaps) places[gap.series].push_back(gap.place);
  return places;
}

// The median at each gap, in the order of the text.
std::vector<double> medians(const SeriesText& file, const std::vector<QuantileForecast>& filled) {
  std::vector<int> next(filled.size(), 0);
  std::vector<double> values;
  for (const GapCell& gap : file.gaps) values.push_back(filled[gap.series].at(50, next[gap.series]++));
  return values;
}

// Only the series that have gaps.
struct Filled {
  SeriesTable table;
  GapPlaces places;
  std::vector<std::vector<double>> paths;
  std::vector<QuantileForecast> quantiles;
};

Filled those_with_gaps(const SeriesTable& table, const GapPlaces& places,
                       const std::vector<std::vector<double>>& paths,
                       const std::vector<QuantileForecast>& quantiles) {
  Filled filled{table, {}, {}, {}};
  filled.table.series.clear();
  for (std::size_t k = 0; k < places.size(); ++k) {
    if (places[k].empty()) continue;
    filled.table.series.push_back(table.series[k]);
    filled.places.push_back(places[k]);
    filled.paths.push_back(paths[k]);
    filled.quantiles.push_back(quantiles[k]);
  }
  return filled;
}

void write_files(const ImputeCommand& o, const Filled& filled) {
  const ValueTime time = [&](std::size_t k, int h) {
    return time_text(filled.table, filled.table.series[k], filled.places[k][std::size_t(h)]);
  };
  if (!o.quantiles.empty())
    write_file_atomically(o.quantiles, quantiles_csv(filled.table, filled.quantiles, time));
  if (!o.save_paths.empty())
    write_file_atomically(o.save_paths, paths_csv(filled.table, filled.paths, filled.quantiles, 1, time));
  if (!o.plot.empty()) write_drawing(o.plot, draw_filled(filled.table, filled.places, filled.quantiles));
  if (o.show && !show_picture(render(draw_filled(filled.table, filled.places, filled.quantiles)), true))
    stderr_log().line("--show: stdout is no terminal that can show pictures with writing; see --plot");
}

int run(const ImputeCommand& o) {
  if (!o.plot.empty()) check_drawing_path(o.plot);
  for (const std::string& file : {o.out, o.quantiles, o.save_paths, o.plot})
    if (!file.empty()) check_writable_file(file);
  const Model model = read_pipeline(chosen_pipeline(o.model));
  const SeriesText file = read_gaps(o.series);
  const GapPlaces places = places_of(file);
  check_impute(model, file.table, places);
  PathOptions options = o.paths;
  options.recipe = forecast_recipe(model);
  if (o.steps > 0) options.recipe->steps = o.steps;
  const auto device = make_device(o.machine);
  Progress progress("filling", 0, o.quiet);
  const auto paths = impute_paths(model, *device, file.table, places, options, [&](int done, int windows) {
    progress.update(double(done) / windows, fmt::format("{} of {} windows", done, windows));
  });
  progress.finish();
  std::vector<QuantileForecast> quantiles;
  for (std::size_t k = 0; k < paths.size(); ++k)
    quantiles.push_back(places[k].empty() ? QuantileForecast(0)
                                          : QuantileForecast::of_paths(paths[k], int(places[k].size())));
  write_file_atomically(o.out, filled_text(file.text, file.gaps, medians(file, quantiles)));
  const Filled filled = those_with_gaps(file.table, places, paths, quantiles);
  write_files(o, filled);
  const auto count = std::int64_t(file.gaps.size()), left_out = file.table.gaps() - count;
  if (o.json) {
    print_json(Json::Object{{"model", path_to_json(o.model)},
                            {"series", std::int64_t(file.table.series.size())},
                            {"series_with_gaps", std::int64_t(filled.places.size())},
                            {"filled", count},
                            {"times_left_out", left_out},
                            {"paths", options.paths},
                            {"output", path_to_json(o.out)}});
    return 0;
  }
  print_line(fmt::format("{}; {} cells of {} series filled with the median of {} paths{}: {}",
                         describe_series(file.table), count, filled.places.size(), options.paths,
                         left_out > 0 ? fmt::format("; {} times without a line stay so", left_out) : "",
                         o.out));
  return 0;
}

}  // namespace

std::function<int()> add_impute(CLI::App& app) {
  const auto o = std::make_shared<ImputeCommand>();
  add_model_option(app, o->model)->required();
  app.add_option("--series", o->series,
                 "A CSV file (.gz, .xz) with gaps, cells that are empty, NaN or NA: a column a series with "
                 "an optional\n"
                 "column of times, or with the columns id,time,value")
      ->required()
      ->type_name("FILE");
  app.add_option("-o,--out", o->out,
                 "CSV file to write: the same bytes, with the median of the paths in place of each gap")
      ->required()
      ->type_name("FILE");
  app.add_option("--quantiles", o->quantiles,
                 "CSV file to write: of each series and time that was filled the quantiles q05 to q95")
      ->type_name("FILE");
  app.add_option("--save-paths", o->save_paths, "CSV file to write with every path")->type_name("FILE");
  app.add_option(
         "--plot", o->plot,
         "Picture to write, .svg or .png: gaps of up to four series, and what fills them in bands of\n"
         "50% and 90%")
      ->type_name("FILE");
  app.add_flag("--show", o->show, "Show that picture in the terminal");
  app.add_option("--paths", o->paths.paths, "Paths that are drawn for each gap")
      ->check(in_range(1, 100'000))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--steps", o->steps, "Steps of the sampler (default: 10)")
      ->check(in_range(1, 1000))
      ->type_name("N");
  app.add_option("--seed", o->paths.seed, "Decides every random number")->capture_default_str();
  add_json_flag(app, o->json);
  add_quiet_flag(app, o->quiet);
  add_machine_options(app, o->machine);
  app.footer("Example:\n  diffusion impute runs/load --series gaps.csv -o filled.csv");
  return [o] { return run(*o); };
}

}  // namespace diffusion
