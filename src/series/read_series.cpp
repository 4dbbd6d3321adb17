#include "series/read_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <utility>

#include <diffusion/error.h>
#include "formats/delimited.h"

namespace diffusion {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

// A cell, and where it stands.
struct Cell {
  const std::string& text;
  const std::string& source;
  std::int64_t line;
  std::string column;

  [[noreturn]] void refuse(const std::string& accepted) const {
    throw Error(ErrorKind::bad_input, fmt::format("{}, line {}, column {}: \"{}\"; accepted is {}", source,
                                                  line, column, text.substr(0, 40), accepted));
  }
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return result;
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, lower(trimmed(name))) != names.end();
}

bool names_times(std::string_view column) {
  return is_one_of(column, {"time", "date", "datetime", "timestamp", "ds"});
}

double value_of(const Cell& cell) {
  const std::string_view text = trimmed(cell.text);
  if (text.empty() || is_one_of(text, {"nan", "na"})) return kGap;
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || !(std::abs(value) <= kMostValue))
    cell.refuse(
        fmt::format("a finite number of at most {:g} in size, or for a gap nothing, NaN or NA", kMostValue));
  return value;
}

struct Time {
  std::int64_t value;
  bool is_date;
};

Time time_of_cell(const Cell& cell) {
  constexpr std::int64_t kMost = std::int64_t(1) << 53;
  const std::string text(trimmed(cell.text));
  if (const auto date = parse_date(text)) return {*date, true};
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || value > kMost || value < -kMost)
    cell.refuse("a time as 2016-07-01 13:00:00, or a whole number");
  return {value, false};
}

// The times of one series as they are read.
struct Times {
  std::vector<std::int64_t> values, lines;
  std::optional<bool> are_dates;

  void add(const Cell& cell) {
    const Time time = time_of_cell(cell);
    if (are_dates && *are_dates != time.is_date) cell.refuse("a time in the form of those before");
    are_dates = time.is_date;
    if (!values.empty() && time.value <= values.back())
      cell.refuse("a time after the one before it; sort the lines by time, without repetitions");
    values.push_back(time.value);
    lines.push_back(cell.line);
  }

  std::optional<std::int64_t> smallest_step() const {
    std::optional<std::int64_t> step;
    for (std::size_t i = 1; i < values.size(); ++i)
      step = std::min(step.value_or(std::numeric_limits<std::int64_t>::max()), values[i] - values[i - 1]);
    return step;
  }
};

// Puts `values` at their times, with gaps between them.
std::vector<double> on_steps(std::span<const double> values, const Times& times, std::int64_t step,
                             const std::string& source) {
  const std::int64_t steps = (times.values.back() - times.values.front()) / step + 1;
  if (double(steps) * (1 - kMostTimesLeftOut) > double(values.size()))
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{}, lines {} to {}: in steps of {}, the smallest between two lines, {} times would be "
                    "{}; accepted are series that leave out at most {}% of the times",
                    source, times.lines.front(), times.lines.back(), step, values.size(), steps,
                    100 * kMostTimesLeftOut));
  std::vector<double> placed(std::size_t(steps), kGap);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t after = times.values[i] - times.values.front();
    if (after % step != 0)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{}, line {}: the time is {} after the first one, which is no multiple of the "
                              "smallest step between two lines, {}",
                              source, times.lines[i], after, step));
    placed[std::size_t(after / step)] = values[i];
  }
  return placed;
}

class SeriesReader {
 public:
  SeriesReader(std::string_view csv, const std::string& source)
      : skipped_(csv.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0),
        reader_(csv.substr(skipped_), Delimited::csv, source),
        source_(source) {
    if (csv.find('\0') != std::string_view::npos)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} holds bytes that are 0; accepted is text in UTF-8", source));
    table_.name = source;
  }

  SeriesTable read() {
    if (!reader_.next()) throw Error(ErrorKind::bad_input, fmt::format("{} is empty", source_));
    header_ = reader_.fields();
    for (std::string& name : header_) name = trimmed(name);
    if (header_.size() >= 2 && header_[0] == "V1" && header_[1] == "V2")
      read_rows();
    else if (const auto places = long_columns())
      read_long(*places);
    else
      read_columns();
    for (const TimeSeries& s : table_.series)
      if (std::ranges::all_of(s.values, [](double v) { return std::isnan(v); }))
        throw Error(ErrorKind::bad_input, fmt::format("{}: the series {} has no value", source_, s.id));
    if (table_.series.empty()) throw Error(ErrorKind::bad_input, fmt::format("{} holds no series", source_));
    return std::move(table_);
  }

  std::vector<GapCell>& gaps() { return gaps_; }

 private:
  Cell cell(std::size_t column) const {
    return {reader_.fields()[column], source_, reader_.line(),
            fmt::format("{} ({})", column + 1, header_[column])};
  }

  // Adds the value of the cell, the next one of a series.
  void add_value(std::size_t series, std::size_t column) {
    std::vector<double>& values = table_.series[series].values;
    values.push_back(value_of(cell(column)));
    if (const FieldRange range = reader_.ranges()[column]; std::isnan(values.back()))
      gaps_.push_back({series, std::int64_t(values.size()) - 1, skipped_ + range.offset, range.length});
  }

  void check_new(std::set<std::string>& ids, const std::string& id) const {
    if (id.empty())
      throw Error(ErrorKind::bad_input,
                  fmt::format("{}, line {}: a series has no name", source_, reader_.line()));
    if (!ids.insert(id).second)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{}, line {}: the series {} is there twice", source_, reader_.line(), id));
  }

  // Where id, time and value of a long file are.
  std::optional<std::array<std::size_t, 3>> long_columns() const {
    if (header_.size() != 3) return std::nullopt;
    std::array<std::size_t, 3> places{3, 3, 3};
    for (std::size_t i = 0; i < 3; ++i) {
      if (is_one_of(header_[i], {"id", "unique_id", "item_id"})) places[0] = i;
      if (names_times(header_[i])) places[1] = i;
      if (is_one_of(header_[i], {"value", "y", "target"})) places[2] = i;
    }
    if (std::ranges::find(places, std::size_t(3)) != places.end()) return std::nullopt;
    return places;
  }

  void read_rows() {
    std::set<std::string> ids;
    while (reader_.next()) {
      table_.series.push_back({reader_.fields()[0], {}});
      check_new(ids, table_.series.back().id);
      std::size_t end = header_.size();
      while (end > 1 && reader_.fields()[end - 1].empty()) --end;
      for (std::size_t i = 1; i < end; ++i) add_value(table_.series.size() - 1, i);
    }
  }

  void read_columns() {
    const bool timed = names_times(header_[0]);
    std::set<std::string> ids;
    for (std::size_t i = timed; i < header_.size(); ++i) {
      check_new(ids, header_[i]);
      table_.series.push_back({header_[i], {}});
    }
    Times times;
    for (std::int64_t last = 0; reader_.next(); last = reader_.line()) {
      if (timed) times.add(cell(0));
      // A record that is an empty line is passed over; here it may have been meant as a gap.
      if (header_.size() == 1 && last > 0 && reader_.line() > last + 1)
        throw Error(ErrorKind::bad_input,
                    fmt::format("{}, line {}, column {} is empty; accepted for a gap in a file of one column "
                                "is NaN or NA",
                                source_, last + 1, header_[0]));
      for (std::size_t i = timed; i < header_.size(); ++i) add_value(i - timed, i);
    }
    if (!timed || times.values.empty()) return;
    set_step(times.smallest_step(), times.are_dates);
    for (TimeSeries& series : table_.series) place(series, times);
    for (GapCell& gap : gaps_) place(gap, times);
  }

  void read_long(const std::array<std::size_t, 3>& at) {
    std::map<std::string, std::size_t> places;
    std::vector<Times> times;
    while (reader_.next()) {
      const std::string& id = reader_.fields()[at[0]];
      if (id.empty()) cell(at[0]).refuse("the name of a series");
      const auto [found, is_new] = places.emplace(id, table_.series.size());
      if (is_new) {
        table_.series.push_back({id, {}});
        times.push_back({{}, {}, times.empty() ? std::nullopt : times.front().are_dates});
      }
      times[found->second].add(cell(at[1]));
      add_value(found->second, at[2]);
    }
    if (times.empty()) return;
    std::optional<std::int64_t> step;
    for (const Times& t : times)
      if (const auto own = t.smallest_step()) step = std::min(step.value_or(*own), *own);
    set_step(step, times.front().are_dates);
    for (std::size_t k = 0; k < times.size(); ++k) place(table_.series[k], times[k]);
    for (GapCell& gap : gaps_) place(gap, times[gap.series]);
  }

  void set_step(std::optional<std::int64_t> step, std::optional<bool> are_dates) {
    table_.interval = step.value_or(1);
    table_.has_dates = are_dates.value_or(false);
  }

  void place(TimeSeries& series, const Times& times) const {
    series.start = times.values.front();
    series.values = on_steps(series.values, times, *table_.interval, source_);
  }

  void place(GapCell& gap, const Times& times) const {
    gap.place = (times.values[std::size_t(gap.place)] - times.values.front()) / *table_.interval;
  }

  std::size_t skipped_;  // bytes before what the reader sees
  DelimitedReader reader_;
  const std::string& source_;
  std::vector<std::string> header_;
  SeriesTable table_;
  std::vector<GapCell> gaps_;
};

}  // namespace

SeriesTable read_series(std::string_view csv, const std::string& source_name, std::vector<GapCell>* gaps) {
  SeriesReader reader(csv, source_name);
  SeriesTable table = reader.read();
  if (gaps) *gaps = std::move(reader.gaps());
  return table;
}

}  // namespace diffusion
