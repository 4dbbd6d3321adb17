#include "cli/options/series_options.h"

#include <fmt/format.h>

#include <utility>

#include <diffusion/error.h>
#include "cli/options/options.h"
#include "data/dataset_table.h"

namespace diffusion {

void add_series_options(CLI::App& app, SeriesArguments& a, const char* group) {
  app.add_option(
         "--series", a.series,
         "Series: m4-hourly, etth1, etth2, or a CSV file (.gz, .xz), a column a series with an optional\n"
         "column of times, or with the columns id,time,value")
      ->type_name("SERIES")
      ->group(group);
  app.add_option("--horizon", a.horizon, "How many values are forecast")
      ->check(in_range(1, 1 << 20))
      ->type_name("H")
      ->group(group);
  app.add_option("--season", a.season,
                 "Steps after which the series repeat themselves (default: 24 of hours)")
      ->check(in_range(2, 1 << 20))
      ->type_name("S")
      ->group(group);
}

SeriesData load_series_for(const SeriesArguments& a, const DataOptions& options, int horizon,
                           bool split_off) {
  SeriesData data = load_series(a.series, options);
  if (data.future) {  // the test of a published set may be longer
    for (TimeSeries& series : data.future->series)
      if (int(series.values.size()) > horizon) series.values.resize(std::size_t(horizon));
    return data;
  }
  if (!split_off && !find_series_set(a.series)) return data;
  SplitSeries split = split_at_end(data.history, horizon);
  return {std::move(split.history), std::move(split.future)};
}

int season_of(const SeriesArguments& a, const SeriesTable& table) {
  constexpr int kHoursOfDay = 24, kSecondsOfHour = 3600;
  if (a.season > 0) return a.season;
  if (find_series_set(a.series) || (table.has_dates && table.interval == kSecondsOfHour)) return kHoursOfDay;
  throw Error(
      ErrorKind::usage,
      fmt::format("nobody knows after how many steps the series of {} repeat themselves; say it", table.name),
      {"season"});
}

std::string describe_series(const SeriesTable& table) {
  std::size_t values = 0;
  for (const TimeSeries& series : table.series) values += series.values.size();
  const std::int64_t gaps = table.gaps();
  return fmt::format("{}: {} series, {} values{}", table.name, table.series.size(), values,
                     gaps > 0 ? fmt::format(", {} of them gaps", gaps) : "");
}

}  // namespace diffusion
