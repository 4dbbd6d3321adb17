#include "train/run_plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "support/scratch.h"

namespace diffusion {
namespace {

using Numbers = std::vector<double>;

RunLog log_of(int steps, int held_out_every) {
  RunLog log;
  for (int step = 1; step <= steps; ++step) {
    log.step.push_back(step);
    log.loss.push_back(step % 2 == 0 ? 0.9 : 1.1);
    log.learning_rate.push_back(1e-3);
    log.seconds.push_back(step);
    if (held_out_every > 0 && step % held_out_every == 0)
      log.held_out.push_back({double(step), {0.5, {0.01, 1, 100}, {0.25, 0.75}}});
  }
  return log;
}

TEST(SmoothedLoss, IsTheMeanAround) {
  const std::vector<double> smooth = smoothed_loss(log_of(1000, 0).loss);
  ASSERT_EQ(smooth.size(), 1000u);
  EXPECT_EQ(smooth[0], 1.1) << "the beginning stays";
  for (std::size_t k = 30; k < smooth.size(); ++k) EXPECT_NEAR(smooth[k], 1, 0.1 / 20 + 1e-12) << k;
  Numbers line(500);
  std::iota(line.begin(), line.end(), 0.0);
  const Numbers same = smoothed_loss(line);
  for (std::size_t k = 0; k < 490; ++k) EXPECT_NEAR(same[k], line[k], 1e-9) << "a straight line is not moved";
  EXPECT_TRUE(smoothed_loss(Numbers{}).empty());
  EXPECT_EQ(smoothed_loss(Numbers{3}), Numbers{3});
}

TEST(RunPlot, OfOneRunHasRawSmoothedHeldOutLevelsAndRate) {
  const std::vector<NamedRun> runs{{"run", log_of(100, 20)}};
  const std::vector<Plot> plots = run_plots(runs);
  ASSERT_EQ(plots.size(), 3u);
  ASSERT_EQ(plots[0].series.size(), 3u);
  EXPECT_EQ(plots[0].series[0].stroke, Stroke::faint);
  EXPECT_EQ(plots[0].series[0].y, runs[0].log.loss);
  EXPECT_EQ(plots[0].series[1].y, smoothed_loss(runs[0].log.loss));
  EXPECT_EQ(plots[0].series[2].x, (Numbers{20, 40, 60, 80, 100}));
  EXPECT_EQ(plots[0].series[2].y, Numbers(5, 0.5));
  ASSERT_EQ(plots[1].series.size(), 2u);
  EXPECT_EQ(plots[1].series[0].name, "0.01 to 1");
  EXPECT_EQ(plots[1].series[1].name, "1 to 100");
  EXPECT_EQ(plots[1].series[1].y, Numbers(5, 0.75));
  EXPECT_EQ(plots[2].series[0].y, Numbers(100, 1e-3));
  const Drawing drawing = draw_plots(plots, 440, 320);
  EXPECT_EQ(drawing.width, 3 * 440);
}

TEST(RunPlot, LeavesOutWhatNobodyRecorded) {
  const std::vector<NamedRun> runs{{"run", log_of(1, 0)}};
  const std::vector<Plot> plots = run_plots(runs);
  ASSERT_EQ(plots.size(), 2u);
  EXPECT_EQ(plots[0].series[2].name, "") << "not in the legend";
  EXPECT_GT(draw_plots(plots, 440, 320).shapes.size(), 0u) << "one step is a dot";
}

TEST(RunPlot, ComparesRunsByColor) {
  const std::vector<NamedRun> runs{{"a", log_of(10, 0)}, {"b", log_of(50, 25)}, {"c", log_of(70, 35)}};
  const std::vector<Plot> plots = run_plots(runs);
  ASSERT_EQ(plots.size(), 3u);
  for (const Plot& plot : plots)
    for (const Series& series : plot.series) {
      ASSERT_TRUE(series.color.has_value());
      if (!series.name.empty()) {
        EXPECT_EQ(series.name, runs[std::size_t(*series.color)].name);
      }
    }
  ASSERT_EQ(plots[1].series.size(), 2u) << "a has no held-out loss";
  EXPECT_EQ(plots[1].series[0].name, "b");
  EXPECT_NEAR(plots[1].series[0].x[0], 0.1, 1e-12);
  EXPECT_NEAR(plots[1].series[0].x[1], 10, 1e-12);
}

TEST(RunPlot, TakesAsManyRunsAsThereAreColors) {
  std::vector<NamedRun> runs(kMaxPlottedRuns, {"run", log_of(3, 1)});
  EXPECT_NO_THROW(run_plots(runs));
  runs.push_back(runs.front());
  EXPECT_NE(scratch::error_of(ErrorKind::usage, [&] { run_plots(runs); }).find("8 runs"), std::string::npos);
  EXPECT_FALSE(scratch::error_of(ErrorKind::usage, [&] { run_plots({}); }).empty());
}

// The noise levels of another configuration are no points of this curve.
TEST(RunPlot, DoesNotMixOtherNoiseLevels) {
  std::vector<NamedRun> runs{{"run", log_of(40, 10)}};
  runs[0].log.held_out[1].measured = {0.5, {0.01, 100}, {0.5}};
  const std::vector<Plot> plots = run_plots(runs);
  EXPECT_EQ(plots[1].series[0].x, (Numbers{10, 30, 40}));
}

}  // namespace
}  // namespace diffusion
