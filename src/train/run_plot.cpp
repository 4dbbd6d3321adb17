#include "train/run_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <diffusion/error.h>

namespace diffusion {

namespace {

const Axis kStep{"step", AxisScale::logarithmic}, kLoss{"loss", AxisScale::logarithmic};

std::string level(double sigma) {
  return sigma < 10 ? fmt::format("{:.2g}", sigma) : fmt::format("{:.0f}", sigma);
}

Series held_out_series(const RunLog& log) {
  Series series;
  for (const auto& [step, measured] : log.held_out) {
    series.x.push_back(step);
    series.y.push_back(measured.loss);
  }
  series.stroke = Stroke::dotted;
  return series;
}

Plot loss_of_one(const RunLog& log) {
  Plot plot{"Loss", kStep, kLoss, {}};
  plot.series.push_back({"", log.step, log.loss, 0, Stroke::faint});
  plot.series.push_back({"training (smoothed)", log.step, smoothed_loss(log.loss), 0});
  Series held_out = held_out_series(log);
  held_out.name = held_out.x.empty() ? "" : "held-out images, averaged weights";
  held_out.color = 1;
  plot.series.push_back(std::move(held_out));
  return plot;
}

Plot loss_of_many(std::span<const NamedRun> runs) {
  const bool has_held_out = std::ranges::any_of(runs, [](const auto& r) { return !r.log.held_out.empty(); });
  Plot plot{has_held_out ? "Loss in training, and held-out (dots)" : "Loss in training", kStep, kLoss, {}};
  for (int k = 0; k < int(runs.size()); ++k) {
    const auto& [name, log] = runs[std::size_t(k)];
    plot.series.push_back({name, log.step, smoothed_loss(log.loss), k});
    plot.series.push_back(held_out_series(log));
    plot.series.back().color = k;
  }
  return plot;
}

// A curve for each range of noise levels.
Plot noise_levels_of_one(const RunLog& log) {
  Plot plot{"Held-out loss by noise level sigma", kStep, kLoss, {}};
  const HeldOutLoss& last = log.held_out.back().measured;
  for (std::size_t k = 0; k < last.by_sigma.size(); ++k) {
    Series series{fmt::format("{} to {}", level(last.sigma[k]), level(last.sigma[k + 1])), {}, {}};
    for (const auto& [step, measured] : log.held_out)
      if (measured.sigma == last.sigma) {
        series.x.push_back(step);
        series.y.push_back(measured.by_sigma[k]);
      }
    series.stroke = Stroke::dotted;
    plot.series.push_back(std::move(series));
  }
  return plot;
}

// A curve for each run, over the middles of its ranges.
Plot noise_levels_of_many(std::span<const NamedRun> runs) {
  Plot plot{"Held-out loss by noise level, at the end", {"sigma", AxisScale::logarithmic}, kLoss, {}};
  for (int k = 0; k < int(runs.size()); ++k) {
    const auto& [name, log] = runs[std::size_t(k)];
    if (log.held_out.empty()) continue;
    const HeldOutLoss& last = log.held_out.back().measured;
    Series series{name, {}, last.by_sigma, k, Stroke::dotted};
    for (std::size_t bin = 0; bin < last.by_sigma.size(); ++bin)
      series.x.push_back(std::sqrt(last.sigma[bin] * last.sigma[bin + 1]));
    plot.series.push_back(std::move(series));
  }
  return plot;
}

Plot learning_rates(std::span<const NamedRun> runs) {
  Plot plot{"Learning rate", {"step"}, {"learning rate"}, {}};
  for (int k = 0; k < int(runs.size()); ++k) {
    const auto& [name, log] = runs[std::size_t(k)];
    plot.series.push_back({runs.size() == 1 ? "" : name, log.step, log.learning_rate, k});
  }
  return plot;
}

}  // namespace

std::vector<double> smoothed_loss(std::span<const double> loss) {
  const std::size_t half_width = loss.size() / 50;
  std::vector<double> sums{0}, means;
  for (const double value : loss) sums.push_back(sums.back() + value);
  for (std::size_t k = 0; k < loss.size(); ++k) {
    const std::size_t half = std::min(half_width, k), end = std::min(k + half + 1, loss.size());
    means.push_back((sums[end] - sums[k - half]) / double(end - (k - half)));
  }
  return means;
}

std::vector<Plot> run_plots(std::span<const NamedRun> runs) {
  if (runs.empty() || runs.size() > kMaxPlottedRuns)
    throw Error(ErrorKind::usage, fmt::format("There are {} runs to plot; accepted are 1 to {}, as there are "
                                              "colors.",
                                              runs.size(), kMaxPlottedRuns));
  const bool has_held_out = std::ranges::any_of(runs, [](const auto& r) { return !r.log.held_out.empty(); });
  const bool one = runs.size() == 1;
  std::vector<Plot> plots{one ? loss_of_one(runs[0].log) : loss_of_many(runs)};
  if (has_held_out) plots.push_back(one ? noise_levels_of_one(runs[0].log) : noise_levels_of_many(runs));
  plots.push_back(learning_rates(runs));
  return plots;
}

}  // namespace diffusion
