#include "series/series.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr std::int64_t kSecondsPerDay = 86400;

// The number that `digits` characters at `place` are; none if one of them is no digit.
std::optional<int> digits_at(const std::string& text, std::size_t place, std::size_t digits) {
  if (text.size() < place + digits) return std::nullopt;
  int number = 0;
  for (std::size_t i = place; i < place + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    number = 10 * number + (text[i] - '0');
  }
  return number;
}

// The seconds of "", " 13:00" or "T13:00:00", from `place` to the end.
std::optional<std::int64_t> seconds_of_day(const std::string& text, std::size_t place) {
  if (text.size() == place) return 0;
  const bool has_seconds = text.size() == place + 9;
  if ((text[place] != ' ' && text[place] != 'T') || (!has_seconds && text.size() != place + 6))
    return std::nullopt;
  const auto hours = digits_at(text, place + 1, 2), minutes = digits_at(text, place + 4, 2),
             seconds = has_seconds ? digits_at(text, place + 7, 2) : std::optional(0);
  if (!hours || !minutes || !seconds || text[place + 3] != ':' || (has_seconds && text[place + 6] != ':'))
    return std::nullopt;
  if (*hours > 23 || *minutes > 59 || *seconds > 59) return std::nullopt;
  return *hours * 3600 + *minutes * 60 + *seconds;
}

}  // namespace

std::int64_t SeriesTable::gaps() const {
  std::int64_t count = 0;
  for (const TimeSeries& s : series)
    for (const double value : s.values) count += std::isnan(value);
  return count;
}

std::int64_t time_of(const SeriesTable& table, const TimeSeries& series, std::int64_t i) {
  return series.start + i * table.interval.value_or(1);
}

SplitSeries split_at_end(const SeriesTable& table, int count) {
  SplitSeries split{table, table};
  for (std::size_t k = 0; k < table.series.size(); ++k) {
    const TimeSeries& whole = table.series[k];
    const auto length = std::int64_t(whole.values.size());
    if (count < 1 || count >= length)
      throw Error(
          ErrorKind::usage,
          fmt::format("the last {} values of series {} of {} cannot be split off: it has {}; accepted "
                      "are 1 to one less than that",
                      count, whole.id, table.name, length),
          {"horizon"});
    const auto middle = whole.values.end() - count;
    split.history.series[k].values.assign(whole.values.begin(), middle);
    split.future.series[k].values.assign(middle, whole.values.end());
    split.future.series[k].start = time_of(table, whole, length - count);
  }
  return split;
}

std::optional<std::int64_t> parse_date(const std::string& text) {
  using namespace std::chrono;
  const auto y = digits_at(text, 0, 4), m = digits_at(text, 5, 2), d = digits_at(text, 8, 2);
  if (!y || !m || !d || *y < 1 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const year_month_day date{year(*y), month(unsigned(*m)), day(unsigned(*d))};
  const auto seconds = seconds_of_day(text, 10);
  if (!date.ok() || !seconds) return std::nullopt;
  return sys_days(date).time_since_epoch().count() * kSecondsPerDay + *seconds;
}

std::string date_text(std::int64_t seconds) {
  using namespace std::chrono;
  std::int64_t day_number = seconds / kSecondsPerDay, rest = seconds % kSecondsPerDay;
  if (rest < 0) {
    rest += kSecondsPerDay;
    --day_number;
  }
  const year_month_day date{sys_days(days(day_number))};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", int(date.year()), unsigned(date.month()),
                     unsigned(date.day()), rest / 3600, rest / 60 % 60, rest % 60);
}

}  // namespace diffusion
