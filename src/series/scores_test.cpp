#include "series/scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include <diffusion/error.h>
#include "series/baselines.h"

namespace diffusion {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

TEST(SeriesScores, OfAPointForecastByHand) {
  const std::vector<double> history{1, 2, 4, 5}, target{10, 20}, says{12, 15};
  const SeriesScore score = score_series(QuantileForecast::of_point(says), target, history, 2);
  EXPECT_EQ(score.points, 2);
  EXPECT_DOUBLE_EQ(score.target_sum, 30);
  EXPECT_DOUBLE_EQ(score.median_error_sum, 7);
  // The doubled loss of a point, averaged over quantiles that lie evenly around the median, is its distance.
  EXPECT_NEAR(score.decile_loss_sum, 7, 1e-12);
  EXPECT_NEAR(score.crps_sum, 7, 1e-12);
  EXPECT_DOUBLE_EQ(*score.scale, 3);  // |4 - 1|, |5 - 2|
  EXPECT_DOUBLE_EQ(*score.mase(), 7.0 / 2 / 3);
  EXPECT_EQ(score.inside90, 0);
}

TEST(SeriesScores, QuantilesThatAreTooHighCostTheirShare) {
  QuantileForecast forecast(1);
  for (int percent = 1; percent <= 99; ++percent) forecast.set(percent, 0, percent);  // uniform on 0 to 100
  const SeriesScore score = score_series(forecast, std::vector<double>{50}, std::vector<double>{0, 1}, 1);
  double expected = 0;
  for (int percent = 10; percent <= 90; percent += 10)
    expected +=
        2 * (percent < 50 ? percent / 100.0 * (50 - percent) : (1 - percent / 100.0) * (percent - 50)) / 9;
  EXPECT_NEAR(score.decile_loss_sum, expected, 1e-12);
  EXPECT_NEAR(score.crps_sum, 100.0 / 12, 0.1);  // of a uniform distribution at its middle
  EXPECT_EQ(score.inside50, 1);
  EXPECT_EQ(score.inside90, 1);
}

TEST(SeriesScores, LeaveGapsOutAndConstantSeriesWithoutScale) {
  const std::vector<double> constant(10, 3.0);
  const SeriesScore score = score_series(QuantileForecast::of_point(std::vector<double>{3, 3}),
                                         std::vector<double>{kMissing, 4}, constant, 2);
  EXPECT_EQ(score.points, 1);
  EXPECT_FALSE(score.scale);
  EXPECT_FALSE(score.mase());
  const SeriesScore other = score_series(QuantileForecast::of_point(std::vector<double>{3}),
                                         std::vector<double>{4}, std::vector<double>{1, 2}, 1);
  const std::vector<SeriesScore> both{score, other};
  const ForecastScores all = summarize(both, both);
  EXPECT_EQ(all.series, 2);
  EXPECT_EQ(all.without_scale, 1);
  EXPECT_DOUBLE_EQ(all.mase, 1);
  EXPECT_DOUBLE_EQ(all.better_than_naive, 0);
  EXPECT_THROW(score_series(QuantileForecast(3), std::vector<double>{4}, constant, 2), Error);
}

TEST(QuantileForecastOfPaths, IsLinearBetweenOrderStatistics) {
  std::vector<double> paths(101);
  std::iota(paths.begin(), paths.end(), 0.0);
  const QuantileForecast forecast = QuantileForecast::of_paths(paths, 1);
  EXPECT_DOUBLE_EQ(forecast.at(1, 0), 1);
  EXPECT_DOUBLE_EQ(forecast.at(37, 0), 37);
  const QuantileForecast two = QuantileForecast::of_paths(std::vector<double>{0, 10, 1, 20}, 2);
  EXPECT_DOUBLE_EQ(two.at(50, 0), 0.5);
  EXPECT_DOUBLE_EQ(two.at(25, 1), 12.5);
}

// Two seasons, a short one of 4 steps and a long one of 8, exactly repeated.
std::vector<double> repeated(int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(i % 4 + 10 * (i % 8 >= 4));
  return values;
}

TEST(Baselines, KnowSeriesThatRepeat) {
  const std::vector<double> all = repeated(46), history(all.begin(), all.begin() + 40);
  const BaselineInput short_season{history, 6, 8, 0}, long_season{history, 6, 4, 8};
  for (int h = 0; h < 6; ++h) {
    EXPECT_EQ(seasonal_naive(short_season).at(50, h), all[40 + std::size_t(h)]);
    EXPECT_EQ(seasonal_naive_with_residuals(short_season).at(10, h), all[40 + std::size_t(h)]);
    EXPECT_EQ(season_blend(long_season).at(50, h), all[40 + std::size_t(h)]);
  }
}

TEST(Baselines, PassOverGaps) {
  std::vector<double> history = repeated(40);
  history[36] = kMissing;  // the value that would be repeated first
  EXPECT_EQ(seasonal_naive({history, 1, 4, 0}).at(50, 0), history[32]);
  const std::vector<double> short_history{kMissing, 7};
  EXPECT_EQ(seasonal_naive({short_history, 3, 24, 0}).at(50, 2), 7);
}

TEST(Baselines, RandomWalkSpreadsWithTheRootOfTime) {
  const std::vector<double> history{0, 2, 0, 2, 0};
  const QuantileForecast walk = random_walk({history, 4, 1, 0});
  EXPECT_NEAR(walk.at(50, 0), 0, 1e-12);
  EXPECT_NEAR(walk.at(84, 3) / walk.at(84, 0), 2, 1e-12);
  EXPECT_NEAR(walk.at(84, 0), 2 * 0.9945, 1e-3);
}

}  // namespace
}  // namespace diffusion
