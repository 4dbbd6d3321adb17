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

std::optional<WindowScale> scale_of_context(const SeriesForm& form, std::span<const double> past) {
  double sum = 0, squares = 0;
  int count = 0;
  const auto each = [&](const auto& add) {
    for (std::int64_t back = 1; back <= form.context(); ++back)
      if (const double value = value_before_end(past, back); !std::isnan(value)) add(value);
  };
  each([&](double value) {
    sum += value;
    ++count;
  });
  if (count == 0) return std::nullopt;
  const double mean = sum / count;
  each([&](double value) { squares += (value - mean) * (value - mean); });
  const double deviation = std::sqrt(squares / count);
  if (deviation > 1e-9 * std::abs(mean)) return WindowScale{mean, deviation};
  return WindowScale{mean,
                     mean != 0 ? std::abs(mean) : 1};  // a constant: its own size is the only one there is
}

void write_calendar(const SeriesForm& form, const Window& window, std::span<float> planes) {
  const auto cells = std::size_t(form.cells());
  for (std::size_t i = 0; i < cells; ++i) {
    const double seconds = double(window.time + (std::int64_t(i) - form.context()) * window.interval);
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
  if (x.size() != cells || counted.size() != cells ||
      known.size() != cells * std::size_t(form.known_channels()) ||
      (!window.future.empty() && int(window.future.size()) != form.horizon))
    throw Error(ErrorKind::internal, "fold_window: the sizes do not fit the form");
  std::ranges::fill(x, 0.0f);
  std::ranges::fill(known, 0.0f);
  std::ranges::fill(counted, 0.0f);
  const auto scale = scale_of_context(form, window.past);
  if (!scale) return std::nullopt;
  const auto scaled = [&](double value) {
    return float(std::clamp((value - scale->mean) / scale->deviation, -kMostDeviations, kMostDeviations));
  };
  const auto context = std::size_t(form.context());
  for (std::size_t i = 0; i < cells; ++i) {
    const bool is_future = i >= context;
    const double value = !is_future              ? value_before_end(window.past, std::int64_t(context - i))
                         : window.future.empty() ? std::nan("")
                                                 : window.future[i - context];
    if (!std::isnan(value)) {
      x[i] = scaled(value);
      (is_future ? counted : known.subspan(cells))[i] = 1;
      if (!is_future) known[i] = x[i];
    }
    for (int lag = 1; lag <= form.lags; ++lag) {
      const double earlier = value_before_end(
          window.past, std::int64_t(context) - std::int64_t(i) + std::int64_t(lag) * form.long_season);
      if (!std::isnan(earlier)) known[std::size_t(1 + lag) * cells + i] = scaled(earlier);
    }
  }
  if (form.calendar) write_calendar(form, window, known.subspan(std::size_t(2 + form.lags) * cells));
  return scale;
}

}  // namespace diffusion
