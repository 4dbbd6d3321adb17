#include "diffusion/schedule_plot.h"

#include <gtest/gtest.h>

namespace diffusion {
namespace {

TEST(SchedulePlots, ShowTheTablesOfTheSchedule) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::sigmoid, 50);
  const std::vector<Plot> plots = schedule_plots(schedule);
  ASSERT_EQ(plots.size(), 3u);
  EXPECT_NE(plots[0].title.find("sigmoid"), std::string::npos);
  EXPECT_EQ(plots[0].series.at(0).y, schedule.betas);
  EXPECT_EQ(plots[1].series.at(0).y, schedule.alphas_cumprod);
  EXPECT_EQ(plots[2].y.scale, AxisScale::logarithmic);
  for (const int t : {0, 20, 49}) {
    const auto i = std::size_t(t);
    EXPECT_EQ(plots[0].series[0].x[i], t);
    EXPECT_DOUBLE_EQ(plots[1].series.at(1).y[i], 1 - schedule.alpha_cumprod(t));
    EXPECT_DOUBLE_EQ(plots[2].series.at(0).y[i], schedule.snr(t));
  }
}

TEST(SchedulePlots, AreDrawnForAnySchedule) {
  for (const int T : {1, 2, 1000, 300'000}) {
    const Image image = render(draw_plots(schedule_plots(make_schedule(ScheduleKind::cosine, T)), 360, 280));
    EXPECT_EQ(image.width, 3 * 360);
  }
  EXPECT_NO_THROW(to_svg(draw_plots(
      schedule_plots(rescale_zero_terminal_snr(make_schedule(ScheduleKind::linear, 1000))), 360, 280)));
}

}  // namespace
}  // namespace diffusion
