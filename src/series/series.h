#pragma once

// Numbers in equal steps of time.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace diffusion {

// One variable. A value that is not known is NaN: a gap.
struct TimeSeries {
  std::string id;
  std::vector<double> values;
  std::int64_t start = 0;  // the time of the first value; without times, the number of steps before it
};

// Series that belong together.
struct SeriesTable {
  std::string name;  // of the file or data set
  std::vector<TimeSeries> series;
  // Between two values: seconds, or what the numbers of the column of times count. None: there are no times.
  std::optional<std::int64_t> interval = {};
  // Whether times are dates, in seconds since 1970.
  bool has_dates = false;

  std::int64_t gaps() const;  // values that are not known, in all series together
};

// The time of value `i` of a series of `table`.
std::int64_t time_of(const SeriesTable& table, const TimeSeries& series, std::int64_t i);

// The first series.values.size() - count values, and the last `count` ones. Error(usage) naming the series
// unless something is left of it, and count is 1 or more.
struct SplitSeries {
  SeriesTable history, future;
};
SplitSeries split_at_end(const SeriesTable& table, int count);

// "2016-07-01 13:00:00", with a T, without seconds or without a time, as seconds since 1970 without a time
// zone; none for anything else. Years are 1 to 9999.
std::optional<std::int64_t> parse_date(const std::string& text);
std::string date_text(std::int64_t seconds);

}  // namespace diffusion
