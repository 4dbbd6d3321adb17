#include "series/scores.h"

#include <algorithm>
#include <cmath>

#include <diffusion/error.h>

namespace diffusion {

namespace {

// 2 rho_q(y - forecast): the quantile loss, doubled, so that it is |y - forecast| for the median.
double quantile_loss(double y, double forecast, double q) {
  const double difference = y - forecast;
  return 2 * std::max(q * difference, (q - 1) * difference);
}

std::optional<double> mean_difference(std::span<const double> values, std::size_t apart) {
  double sum = 0;
  int count = 0;
  for (std::size_t i = apart; i < values.size(); ++i) {
    const double difference = std::abs(values[i] - values[i - apart]);
    if (std::isnan(difference)) continue;
    sum += difference;
    ++count;
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

std::optional<double> scale_of(std::span<const double> history, int season) {
  auto scale = mean_difference(history, std::size_t(season));
  if (!scale) scale = mean_difference(history, 1);
  return scale && *scale > 0 ? scale : std::nullopt;
}

}  // namespace

std::optional<double> SeriesScore::mase() const {
  return scale && points > 0 ? std::optional(median_error_sum / points / *scale) : std::nullopt;
}

std::optional<double> SeriesScore::scaled_loss() const {
  return scale && points > 0 ? std::optional(decile_loss_sum / points / *scale) : std::nullopt;
}

SeriesScore score_series(const QuantileForecast& forecast, std::span<const double> target,
                         std::span<const double> history, int season) {
  if (int(target.size()) != forecast.horizon() || season < 1)
    throw Error(ErrorKind::internal, "scores: the forecast is not as long as what came");
  SeriesScore score;
  score.scale = scale_of(history, season);
  for (int h = 0; h < forecast.horizon(); ++h) {
    const double y = target[std::size_t(h)];
    if (std::isnan(y)) continue;
    const auto inside = [&](int low, int high) {
      return y >= forecast.at(low, h) && y <= forecast.at(high, h);
    };
    const auto loss = [&](int percent) { return quantile_loss(y, forecast.at(percent, h), percent / 100.0); };
    ++score.points;
    score.target_sum += std::abs(y);
    for (int percent = 10; percent <= 90; percent += 10) score.decile_loss_sum += loss(percent) / 9;
    for (int percent = 1; percent <= 99; ++percent) score.crps_sum += loss(percent) / 99;
    score.median_error_sum += loss(50);
    score.inside50 += inside(25, 75);
    score.inside80 += inside(10, 90);
    score.inside90 += inside(5, 95);
  }
  return score;
}

ForecastScores summarize(std::span<const SeriesScore> scores, std::span<const SeriesScore> naive,
                         std::span<const int> times) {
  if (naive.size() != scores.size() || (!times.empty() && times.size() != scores.size()))
    throw Error(ErrorKind::internal, "scores: there are more or fewer of the naive forecast");
  ForecastScores all;
  double targets = 0, points = 0, scaled = 0;
  for (std::size_t k = 0; k < scores.size(); ++k) {
    const SeriesScore& s = scores[k];
    const double n = times.empty() ? 1 : times[k];
    all.series += int(n);
    targets += n * s.target_sum;
    points += n * s.points;
    all.wql += n * s.decile_loss_sum;
    all.crps += n * s.crps_sum;
    all.normalized_error += n * s.median_error_sum;
    all.coverage50 += n * s.inside50;
    all.coverage80 += n * s.inside80;
    all.coverage90 += n * s.inside90;
    if (!s.mase()) {
      all.without_scale += int(n);
      continue;
    }
    scaled += n;
    all.mase += n * *s.mase();
    all.scaled_loss += n * *s.scaled_loss();
    all.better_than_naive += n * double(*s.scaled_loss() < *naive[k].scaled_loss());
  }
  all.wql /= targets;
  all.crps /= targets;
  all.normalized_error /= targets;
  for (double* share : {&all.coverage50, &all.coverage80, &all.coverage90}) *share /= points;
  for (double* mean : {&all.mase, &all.scaled_loss, &all.better_than_naive}) *mean /= scaled;
  return all;
}

}  // namespace diffusion
