#include "cli/output/series_csv.h"

#include <fmt/format.h>

#include <array>

namespace diffusion {

namespace {

constexpr std::array kWrittenPercents{5, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 95};

// The name of a series as a field of CSV.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

}  // namespace

std::string time_text(const SeriesTable& table, const TimeSeries& series, std::int64_t place) {
  if (!table.interval) return fmt::format("{}", place + 1);
  const std::int64_t time = time_of(table, series, place);
  return table.has_dates ? date_text(time) : fmt::format("{}", time);
}

std::string quantiles_csv(const SeriesTable& table, const std::vector<QuantileForecast>& forecasts,
                          const ValueTime& time) {
  std::string csv = "id,time";
  for (const int percent : kWrittenPercents) csv += fmt::format(",q{:02}", percent);
  csv += '\n';
  for (std::size_t k = 0; k < forecasts.size(); ++k)
    for (int h = 0; h < forecasts[k].horizon(); ++h) {
      csv += csv_field(table.series[k].id) + ',' + time(k, h);
      for (const int percent : kWrittenPercents) csv += fmt::format(",{:.7g}", forecasts[k].at(percent, h));
      csv += '\n';
    }
  return csv;
}

std::string paths_csv(const SeriesTable& table, const std::vector<std::vector<double>>& paths,
                      const std::vector<QuantileForecast>& quantiles, double spread, const ValueTime& time) {
  std::string csv = "id,path,time,value\n";
  for (std::size_t k = 0; k < paths.size(); ++k)
    for (std::size_t i = 0; i < paths[k].size(); ++i) {
      const auto horizon = std::size_t(quantiles[k].horizon());
      const int h = int(i % horizon);
      const double median = quantiles[k].at(50, h);
      csv += fmt::format("{},{},{},{:.7g}\n", csv_field(table.series[k].id), i / horizon + 1, time(k, h),
                         median + spread * (paths[k][i] - median));
    }
  return csv;
}

}  // namespace diffusion
