#include "data/series_windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include <diffusion/error.h>
#include "data/content_hash.h"
#include "formats/json.h"
#include "series/windows.h"

namespace diffusion {

SeriesWindows::SeriesWindows(SeriesTable table, const SeriesForm& form, Split part)
    : table_(std::move(table)), form_(form), part_(part), firsts_{0} {
  validate(form_);
  if (form_.calendar && !table_.has_dates)
    throw Error(ErrorKind::usage, fmt::format("{} has no dates, which the calendar needs", table_.name),
                {"calendar"});
  const std::int64_t needed = form_.context() + (part_ == Split::train ? 2 : 1) * std::int64_t(form_.horizon);
  for (const TimeSeries& series : table_.series) {
    const std::int64_t room = std::int64_t(series.values.size()) - needed + 1;
    if (room < 1) left_out_.push_back(series.id);
    const std::int64_t windows = room < 1 ? 0 : part_ == Split::train ? room : 1;
    firsts_.push_back(firsts_.back() + windows);
  }
  if (firsts_.back() == 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("no series of {} is long enough: a window is a context of {} values and {} of {}, "
                    "together {}",
                    table_.name, form_.context(), part_ == Split::train ? "two horizons" : "a horizon",
                    form_.horizon, needed),
        {"context", "horizon"});
  if (firsts_.back() > std::numeric_limits<int>::max())
    throw Error(ErrorKind::usage, fmt::format("{} has more than 2147483647 windows", table_.name));
}

void SeriesWindows::write(int i, const ExampleParts& parts) const {
  const auto after = std::ranges::upper_bound(firsts_, std::int64_t(i));
  const auto k = std::size_t(after - firsts_.begin()) - 1;
  const TimeSeries& series = table_.series[k];
  const auto horizon = std::size_t(form_.horizon);
  const std::size_t past = part_ == Split::train ? std::size_t(form_.context()) + std::size_t(i - firsts_[k])
                                                 : series.values.size() - horizon;
  const std::span<const double> values(series.values);
  fold_window(form_,
              {.past = values.first(past),
               .future = values.subspan(past, horizon),
               .time = time_of(table_, series, std::int64_t(past)),
               .interval = table_.interval.value_or(1)},
              parts.x, parts.known, parts.counted);
}

std::uint64_t SeriesWindows::fingerprint() const {
  ContentHash hash;
  hash.add(dump_json(to_json(form_)));
  hash.add(std::uint64_t(part_ == Split::train));
  hash.add(std::uint64_t(table_.interval.value_or(0)));
  for (const TimeSeries& series : table_.series) {
    hash.add(series.id);
    hash.add(std::uint64_t(series.start));
    for (const double value : series.values)  // there are many NaN, and one gap
      hash.add(std::isnan(value) ? ~std::uint64_t(0) : std::bit_cast<std::uint64_t>(value));
  }
  return hash.value();
}

Dataset series_dataset(std::shared_ptr<const SeriesWindows> windows, const SeriesTable& table,
                       const SeriesForm& form) {
  Dataset data{table.name, form.rows, form.season, 1, {}, {}, {}};
  data.numbers = std::move(windows);
  return data;
}

}  // namespace diffusion
