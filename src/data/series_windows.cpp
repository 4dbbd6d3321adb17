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
#include "series/hidden_values.h"
#include "series/windows.h"

namespace diffusion {

namespace {

constexpr int kMostBlockSeasons = 3;

}  // namespace

SeriesWindows::SeriesWindows(SeriesTable table, const SeriesForm& form, Split part)
    : table_(std::move(table)), form_(form), part_(part), firsts_{0} {
  validate(form_);
  if (form_.calendar && !table_.has_dates)
    throw Error(ErrorKind::usage, fmt::format("{} has no dates, which the calendar needs", table_.name),
                {"calendar"});
  const bool train = part_ == Split::train, imputes = form_.task == SeriesTask::impute;
  const std::int64_t needed = imputes ? form_.cells() + (train ? form_.horizon : 0)
                                      : form_.context() + (train ? 2 : 1) * std::int64_t(form_.horizon);
  const std::int64_t tests = imputes ? std::max(1, form_.horizon / form_.cells()) : 1;
  for (const TimeSeries& series : table_.series) {
    const std::int64_t room = std::int64_t(series.values.size()) - needed + 1;
    if (room < 1) left_out_.push_back(series.id);
    const std::int64_t most = std::int64_t(series.values.size()) / form_.cells();
    const std::int64_t windows = room < 1 ? 0 : train ? room : imputes ? std::min(tests, most) : 1;
    firsts_.push_back(firsts_.back() + windows);
  }
  if (firsts_.back() == 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("no series of {} is long enough: a window is a context of {} values and {} of {}, "
                    "together {}",
                    table_.name, form_.context(), train && !imputes ? "two horizons" : "a horizon",
                    form_.horizon, needed),
        {"context", "horizon"});
  if (firsts_.back() > std::numeric_limits<int>::max())
    throw Error(ErrorKind::usage, fmt::format("{} has more than 2147483647 windows", table_.name));
}

void SeriesWindows::write(int i, const RandomKey& draw, const ExampleParts& parts) const {
  const auto after = std::ranges::upper_bound(firsts_, std::int64_t(i));
  const auto k = std::size_t(after - firsts_.begin()) - 1;
  const TimeSeries& series = table_.series[k];
  const std::int64_t number = i - firsts_[k];
  if (form_.task == SeriesTask::impute) return write_gaps(series, number, draw, parts);
  const auto horizon = std::size_t(form_.horizon);
  const std::size_t past = part_ == Split::train ? std::size_t(form_.context()) + std::size_t(number)
                                                 : series.values.size() - horizon;
  const std::span<const double> values(series.values);
  fold_window(form_,
              {.past = values.first(past),
               .future = values.subspan(past, horizon),
               .time = time_of(table_, series, std::int64_t(past)),
               .interval = table_.interval.value_or(1)},
              parts.x, parts.known, parts.counted);
}

// Test windows lie one before the other, from the end on; what is hidden counts where training never was.
void SeriesWindows::write_gaps(const TimeSeries& series, std::int64_t number, const RandomKey& draw,
                               const ExampleParts& parts) const {
  const auto length = std::int64_t(series.values.size()), cells = std::int64_t(form_.cells());
  const std::int64_t first = part_ == Split::train ? number : length - (number + 1) * cells;
  const std::vector<bool> hidden =
      hidden_in_training(form_.cells(), std::min(kMostBlockSeasons * form_.season, form_.cells() / 2), draw);
  fold_gap_window(form_,
                  {.values = std::span(series.values).subspan(std::size_t(first), std::size_t(cells)),
                   .hidden = hidden,
                   .time = time_of(table_, series, first),
                   .interval = table_.interval.value_or(1)},
                  parts.x, parts.known, parts.counted);
  if (part_ == Split::test)
    std::fill_n(parts.counted.begin(), std::clamp<std::int64_t>(length - form_.horizon - first, 0, cells),
                0.0f);
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
