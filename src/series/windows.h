#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "series/series.h"
#include "series/series_form.h"

namespace diffusion {

// What a window was scaled by: x = (value - mean) / deviation.
struct WindowScale {
  double mean, deviation;

  double to_value(double x) const { return mean + deviation * x; }
};

// A window of a series: what was before a moment, and what came after it.
struct Window {
  std::span<const double> past;    // all that is known, of any length; NaN: gaps
  std::span<const double> future;  // the next `horizon` values, or none if they are not known
  // The time of the first value of the future and the step, in seconds, for the calendar.
  std::int64_t time = 0, interval = 0;
};

// Writes a window as a network sees it. Cell i of form.cells(), row by row, is the value context() - i steps
// before the end of the past, or, from cell context() on, of the future.
//   x        [1, rows, season]  scaled values; 0 where there is none
//   known    [known_channels, rows, season]
//              scaled values of the context, 0 elsewhere; 1 where they are known, else 0
//              lags: scaled values 1, 2, ... long seasons earlier, 0 where there is none
//              calendar: sine and cosine of the hour of the day, of the day of the week
//   counted  [1, rows, season]  1 where a value of the future is known
// Values beyond kMostDeviations are limited to it: a window that was all but constant must not drown the
// others. None, and nothing that counts, if no value of the context is known.
std::optional<WindowScale> fold_window(const SeriesForm& form, const Window& window, std::span<float> x,
                                       std::span<float> known, std::span<float> counted);

inline constexpr double kMostDeviations = 10;

// A window of a series in which values are missing.
struct GapWindow {
  std::span<const double> values;       // [form.cells()]; NaN: gaps
  const std::vector<bool>& hidden;      // [form.cells()]: what is there, and not shown
  std::int64_t time = 0, interval = 0;  // of the first value, and the step, in seconds, for the calendar
};

// The same for a model that fills gaps. Known is what is neither a gap nor hidden, `x` has what is there, and
// what is hidden counts. None if nothing is known.
std::optional<WindowScale> fold_gap_window(const SeriesForm& form, const GapWindow& window,
                                           std::span<float> x, std::span<float> known,
                                           std::span<float> counted);

}  // namespace diffusion
