#pragma once

#include <cstdint>
#include <string_view>

#include "formats/json.h"

namespace diffusion {

// What a model does with series: it says what comes next, or what is missing in between.
enum class SeriesTask { forecast, impute };

// How a model sees series: as a picture of `rows` lines of one season each, 12 days of 24 hours say.
// Forecast: its last `horizon` places are what is forecast, those before are the context.
// Impute: any place may be unknown, and all others are the context. Training hides values (hidden_values.h),
// and never sees the last `horizon` ones of a series.
// A window is scaled by the mean and the standard deviation of what is known of its context (in a trial
// better than its mean absolute value).
struct SeriesForm {
  SeriesTask task = SeriesTask::forecast;
  int season = 24;  // 2 or more
  int horizon = 48;
  int rows = 12;
  // Beside the window the network sees the values `long_season`, 2 `long_season`, ... steps before each
  // place, `lags` of them; 0: none. long_season is at least the horizon, so that they are known. There are
  // none where gaps are filled, because they may be gaps themselves.
  int long_season = 168, lags = 3;
  bool calendar = false;  // it is told the hour of the day and the day of the week, as sines and cosines

  bool operator==(const SeriesForm&) const = default;

  int cells() const { return rows * season; }
  int context() const { return task == SeriesTask::impute ? cells() : cells() - horizon; }
  // Of what the network is told beside the noisy picture: known values, where they are known, lags, calendar.
  int known_channels() const { return 2 + lags + (calendar ? 4 : 0); }
};

// Error(usage) naming the field if a number is out of range, or nothing is left of the context.
void validate(const SeriesForm& form);

// The form for `horizon` values after at least `context` ones, or, to impute, for at least `context` values,
// for a network whose sides are multiples of `multiple`: rows are made one; Error(usage) naming the field if
// the season is none.
SeriesForm series_form(SeriesTask task, int season, int horizon, int context, int multiple);

Json to_json(const SeriesForm& form);
// Error(bad_input) naming source and field.
SeriesForm parse_series_form(const Json& json, std::string_view source);

}  // namespace diffusion
