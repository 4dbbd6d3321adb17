#include "series/windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <diffusion/error.h>

namespace diffusion {
namespace {

// 4 rows of 3: a context of 10 and 2 values to forecast, one lag of 6.
const SeriesForm kSmallForm{.season = 3, .horizon = 2, .rows = 4, .long_season = 6, .lags = 1};

struct Folded {
  std::vector<float> x, known, counted;
  std::optional<WindowScale> scale;
};

Folded fold(const SeriesForm& form, const Window& window) {
  const auto cells = std::size_t(form.cells());
  Folded f{std::vector<float>(cells, 9),
           std::vector<float>(cells * std::size_t(form.known_channels()), 9),
           std::vector<float>(cells, 9),
           {}};
  f.scale = fold_window(form, window, f.x, f.known, f.counted);
  return f;
}

std::vector<double> count_up(int from, int count) {
  std::vector<double> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), double(from));
  return values;
}

TEST(FoldWindow, PutsEverythingInItsPlace) {
  const std::vector<double> past = count_up(1, 14), future{15, 16};
  const Folded f = fold(kSmallForm, {.past = past, .future = future});
  // The context is 5, ..., 14.
  EXPECT_DOUBLE_EQ(f.scale->mean, 9.5);
  EXPECT_NEAR(f.scale->deviation, std::sqrt(99.0 / 12), 1e-12);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_NEAR(f.scale->to_value(f.x[i]), 5 + double(i), 1e-5) << i;
    EXPECT_EQ(f.known[i], i < 10 ? f.x[i] : 0) << i;
    EXPECT_EQ(f.known[12 + i], i < 10 ? 1 : 0) << i;
    EXPECT_EQ(f.counted[i], i < 10 ? 0 : 1) << i;
    const double lag = 5 + double(i) - 6;
    EXPECT_NEAR(f.known[24 + i], lag >= 1 ? (lag - 9.5) / f.scale->deviation : 0, 1e-5) << i;
  }
}

TEST(FoldWindow, GapsAreNeitherKnownNorCounted) {
  std::vector<double> past = count_up(1, 10), future{std::numeric_limits<double>::quiet_NaN(), 12};
  past[3] = std::numeric_limits<double>::quiet_NaN();
  const Folded f = fold(kSmallForm, {.past = past, .future = future});
  EXPECT_EQ(f.known[12 + 3], 0);
  EXPECT_EQ(f.x[3], 0);
  EXPECT_EQ(f.counted[10], 0);
  EXPECT_EQ(f.counted[11], 1);
  EXPECT_NEAR(f.scale->mean, 51.0 / 9, 1e-12);
}

TEST(FoldWindow, AShortPastIsAContextThatBeginsLater) {
  const std::vector<double> past = count_up(1, 4);
  const Folded f = fold(kSmallForm, {.past = past, .future = {}});
  EXPECT_EQ(std::count(f.known.begin() + 12, f.known.begin() + 24, 1.0f), 4);
  EXPECT_EQ(f.known[12 + 9], 1);
  EXPECT_TRUE(std::ranges::all_of(f.counted, [](float c) { return c == 0; }));
}

TEST(FoldWindow, ConstantAndUnknownContextsHaveNoDeviation) {
  const std::vector<double> constant(10, -4.0), zeros(10, 0.0),
      none(10, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(fold(kSmallForm, {.past = constant, .future = {}}).scale->deviation, 4);
  EXPECT_EQ(fold(kSmallForm, {.past = zeros, .future = {}}).scale->deviation, 1);
  const std::vector<double> future{1, 2};
  const Folded f = fold(kSmallForm, {.past = none, .future = future});
  EXPECT_FALSE(f.scale);
  EXPECT_EQ(f.counted[10], 0);
}

TEST(FoldWindow, LimitsWhatIsFarOut) {
  std::vector<double> past(10, 1.0), future{1e9, -1e9};
  past[0] = 1.001;
  const Folded f = fold(kSmallForm, {.past = past, .future = future});
  EXPECT_EQ(f.x[10], float(kMostDeviations));
  EXPECT_EQ(f.x[11], -float(kMostDeviations));
}

TEST(FoldWindow, TellsTheHour) {
  SeriesForm form = kSmallForm;
  form.calendar = true;
  const std::vector<double> past = count_up(1, 10);
  const std::int64_t six = 6 * 3600;  // of the first value that is forecast
  const Folded f = fold(form, {.past = past, .future = {}, .time = six, .interval = 3600});
  EXPECT_NEAR(f.known[3 * 12 + 10], 1, 1e-6);                              // sin of a quarter of a day
  EXPECT_NEAR(f.known[4 * 12 + 4], 1, 1e-6);                               // cos at midnight
  EXPECT_NEAR(f.known[5 * 12 + 10], std::sin(2 * 3.14159265 / 28), 1e-6);  // of the week
}

TEST(SeriesForm, SurvivesJsonAndRefusesWhatCannotBe) {
  SeriesForm form = kSmallForm;
  form.calendar = true;
  EXPECT_EQ(parse_series_form(to_json(form), "x"), form);
  EXPECT_EQ(series_form(SeriesTask::forecast, 24, 48, 240, 2).rows, 12);
  EXPECT_EQ(series_form(SeriesTask::forecast, 24, 49, 240, 4).rows, 16);
  EXPECT_THROW(series_form(SeriesTask::forecast, 1, 48, 240, 2), Error);
  EXPECT_THROW(series_form(SeriesTask::forecast, 24, 0, 240, 2), Error);
  EXPECT_THROW(series_form(SeriesTask::forecast, 7, 4, 70, 2), Error);
  form.horizon = 12;
  EXPECT_THROW(validate(form), Error);
  Json json = to_json(kSmallForm);
  std::get<Json::Object>(json.value())["scaling"] = "median";
  EXPECT_THROW(parse_series_form(json, "x"), Error);
}

}  // namespace
}  // namespace diffusion
