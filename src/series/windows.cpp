#include "series/windows.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr double kDaySeconds = 86400;

// The value `back` steps before the end, from 1; NaN where there is none.
double value_before_end(std::span<const double> past, std::int64_t back) {
  const auto length = std::int64_t(past.size());
  return back >= 1 && back <= length ? past[std::size_t(length - back)] : std::nan("");
}

// Of the known ones of `count` values; none if none is.
template <class ValueAt>
std::optional<WindowScale> scale_of(std::int64_t count, const ValueAt& value_at) {
  double sum = 0, squares = 0;
  int known = 0;
  const auto each = [&](const auto& add) {
    for (std::int64_t i = 0; i < count; ++i)
      if (const double value = value_at(i); !std::isnan(value)) add(value);
  };
  each([&](double value) {
    sum += value;
    ++known;
  });
  if (known == 0) return std::nullopt;
  const double mean = sum / known;
  each([&](double value) { squares += (value - mean) * (value - mean); });
  const double deviation = std::sqrt(squares / known);
  if (deviation > 1e-9 * std::abs(mean)) return WindowScale{mean, deviation};
  return WindowScale{mean,
                     mean != 0 ? std::abs(mean) : 1};  // a constant: its own size is the only one there is
}

float scaled(const WindowScale& scale, double value) {
  return float(std::clamp((value - scale.mean) / scale.deviation, -kMostDeviations, kMostDeviations));
}

void check_sizes(const SeriesForm& form, std::span<const float> x, std::span<const float> known,
                 std::span<const float> counted) {
  const auto cells = std::size_t(form.cells());
  if (x.size() != cells || counted.size() != cells ||
      known.size() != cells * std::size_t(form.known_channels()))
    throw Error(ErrorKind::internal, "fold_window: the sizes do not fit the form");
}

// `first`: the time of the first cell.
void write_calendar(const SeriesForm& form, std::int64_t first, std::int64_t interval,
                    std::span<float> planes) {
  const auto cells = std::size_t(form.cells());
  for (std::size_t i = 0; i < cells; ++i) {
    const double seconds = double(first + std::int64_t(i) * interval);
    for (const double period : {kDaySeconds, 7 * kDaySeconds}) {
      const double angle = 2 * std::numbers::pi * std::fmod(seconds, period) / period;
      const std::size_t plane = period == kDaySeconds ? 0 : 2;
      planes[plane * cells + i] = float(std::sin(angle));
      planes[(plane + 1) * cells + i] = float(std::cos(angle));
    }
  }
}

}  // namespace

std::optional<WindowScale> fold_window(const SeriesForm& form, const Window& window, std::span<float> x,
                                       std::span<float> known, std::span<float> counted) {
  const auto cells = std::size_t(form.cells());
  check_sizes(form, x, known, counted);
  if (!window.future.empty() && int(window.future.size()) != form.horizon)
    throw Error(ErrorKind::internal, "fold_window: the future is not of the horizon");
  std::ranges::fill(x, 0.0f);
  std::ranges::fill(known, 0.0f);
  std::ranges::fill(counted, 0.0f);
  const auto scale =
      scale_of(form.context(), [&](std::int64_t i) { return value_before_end(window.past, i + 1); });
  if (!scale) return std::nullopt;
  const auto context = std::size_t(form.context());
  for (std::size_t i = 0; i < cells; ++i) {
    const bool is_future = i >= context;
    const double value = !is_future              ? value_before_end(window.past, std::int64_t(context - i))
                         : window.future.empty() ? std::nan("")
                                                 : window.future[i - context];
    if (!std::isnan(value)) {
      x[i] = scaled(*scale, value);
      (is_future ? counted : known.subspan(cells))[i] = 1;
      if (!is_future) known[i] = x[i];
    }
    for (int lag = 1; lag <= form.lags; ++lag) {
      const double earlier = value_before_end(
          window.past, std::int64_t(context) - std::int64_t(i) + std::int64_t(lag) * form.long_season);
      if (!std::isnan(earlier)) known[std::size_t(1 + lag) * cells + i] = scaled(*scale, earlier);
    }
  }
  if (form.calendar)
    write_calendar(form, window.time - form.context() * window.interval, window.interval,
                   known.subspan(std::size_t(2 + form.lags) * cells));
  return scale;
}

std::optional<WindowScale> fold_gap_window(const SeriesForm& form, const GapWindow& window,
                                           std::span<float> x, std::span<float> known,
                                           std::span<float> counted) {
  const auto cells = std::size_t(form.cells());
  check_sizes(form, x, known, counted);
  if (window.values.size() != cells || window.hidden.size() != cells)
    throw Error(ErrorKind::internal, "fold_gap_window: the window is not of the form");
  std::ranges::fill(x, 0.0f);
  std::ranges::fill(known, 0.0f);
  std::ranges::fill(counted, 0.0f);
  const auto scale = scale_of(std::int64_t(cells), [&](std::int64_t i) {
    return window.hidden[std::size_t(i)] ? std::nan("") : window.values[std::size_t(i)];
  });
  if (!scale) return std::nullopt;
  for (std::size_t i = 0; i < cells; ++i) {
    if (std::isnan(window.values[i])) continue;
    x[i] = scaled(*scale, window.values[i]);
    (window.hidden[i] ? counted : known.subspan(cells))[i] = 1;
    if (!window.hidden[i]) known[i] = x[i];
  }
  if (form.calendar) write_calendar(form, window.time, window.interval, known.subspan(2 * cells));
  return scale;
}

}  // namespace diffusion
