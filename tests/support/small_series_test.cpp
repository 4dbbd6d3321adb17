#include "support/small_series.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <string>

namespace diffusion {

Model fixtures::small_series_model(const SeriesForm& form) {
  UNetConfig unet;
  unet.block_out_channels = {8, 8};
  unet.down_block_attention = unet.up_block_attention = {false, false};
  unet.layers_per_block = 1;
  unet.norm_num_groups = 4;
  unet.add_attention = false;
  const NetworkConfig network = fitted_to(unet, {form.rows, form.season}, 1, 0, form.known_channels());
  Preconditioner cosine(Objective::v, make_schedule(ScheduleKind::cosine, 100));
  Model model{network, cosine, {}, {}, {}, ParamStore(layout_of(network))};
  model.series = form;
  model.params.initialize(3);
  return model;
}

double fixtures::wave(int k, int i) {
  return 100 * (k + 1) + 10 * std::sin(i * std::numbers::pi / 2) + i % 3;
}

SeriesTable fixtures::waves(int count, int length) {
  SeriesTable table{"waves", {}};
  for (int k = 0; k < count; ++k) {
    TimeSeries series{"w" + std::to_string(k), {}};
    for (int i = 0; i < length; ++i) series.values.push_back(wave(k, i));
    table.series.push_back(series);
  }
  return table;
}

namespace {

TEST(SmallSeries, AreOfTheirForm) {
  const SeriesForm form{.season = 4, .horizon = 4, .rows = 4, .long_season = 4, .lags = 1};
  EXPECT_EQ(fixtures::small_series_model(form).traits().sample_size, (std::array{4, 4}));
  EXPECT_EQ(fixtures::waves(2, 7).series[1].values[6], fixtures::wave(1, 6));
}

}  // namespace
}  // namespace diffusion
