// Gaps in series: what training hides of them, and how a model fills them.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "data/batches.h"
#include "data/series_windows.h"
#include "diffusers/pipeline.h"
#include "diffusion/impute_paths.h"
#include "series/windows.h"
#include "support/scratch.h"
#include "support/small_series.h"

namespace diffusion {
namespace {

using fixtures::small_series_model, fixtures::waves;

const SeriesForm kImputeForm{
    .task = SeriesTask::impute, .season = 4, .horizon = 4, .rows = 4, .long_season = 4, .lags = 0};

TEST(GapWindows, HiddenValuesCountAndGapsDoNot) {
  std::vector<double> values;
  for (int i = 0; i < 16; ++i) values.push_back(i);
  values[3] = std::nan("");
  std::vector<bool> hidden(16, false);
  hidden[3] = hidden[5] = true;
  std::vector<float> x(16), known(32), counted(16);
  const auto scale = fold_gap_window(kImputeForm, {.values = values, .hidden = hidden}, x, known, counted);
  ASSERT_TRUE(scale);
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(known[16 + i], i == 3 || i == 5 ? 0 : 1) << i;
    EXPECT_EQ(known[i], i == 3 || i == 5 ? 0 : x[i]) << i;
    EXPECT_EQ(counted[i], i == 5 ? 1 : 0) << i;
    EXPECT_NEAR(scale->to_value(x[i]), i == 3 ? scale->mean : double(i), 1e-5) << i;
  }
  EXPECT_FALSE(fold_gap_window(kImputeForm, {.values = values, .hidden = std::vector<bool>(16, true)}, x,
                               known, counted));
  values.pop_back();
  EXPECT_THROW(fold_gap_window(kImputeForm, {.values = values, .hidden = hidden}, x, known, counted), Error);
}

struct GapExample {
  std::vector<float> x = std::vector<float>(16), known = std::vector<float>(32),
                     counted = std::vector<float>(16);
};

GapExample gap_example(const BatchStream& stream, std::uint32_t step, std::uint32_t i) {
  GapExample e;
  stream.example(step, i, {e.x, e.known, e.counted});
  return e;
}

TEST(GapWindows, TrainingHidesByStepAndSeed) {
  const SeriesTable table = waves(1, 20);  // one window
  const Dataset data = series_dataset(std::make_shared<const SeriesWindows>(table, kImputeForm, Split::train),
                                      table, kImputeForm);
  ASSERT_EQ(data.count(), 1);
  const BatchStream stream(data, 5, {.size = 1}), other(data, 6, {.size = 1});
  EXPECT_EQ(gap_example(stream, 7, 0).known, gap_example(stream, 7, 0).known);
  EXPECT_NE(gap_example(stream, 7, 0).known, gap_example(stream, 8, 0).known);
  EXPECT_NE(gap_example(stream, 7, 0).known, gap_example(other, 7, 0).known);
  const GapExample e = gap_example(stream, 7, 0);
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(e.counted[i] + e.known[16 + i], 1) << i;
}

TEST(GapWindows, TheLastHorizonIsHeldOutAndAloneCounts) {
  const SeriesTable table = waves(2, 30);
  const SeriesWindows train(table, kImputeForm, Split::train), test(table, kImputeForm, Split::test);
  EXPECT_EQ(train.count(), 2 * 11);
  EXPECT_EQ(test.count(), 2);
  for (std::uint32_t step = 0; step < 20; ++step) {
    GapExample e;
    test.write(1, {1, Stream::hidden, 0, step}, {e.x, e.known, e.counted});
    for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(e.counted[i], 0) << i;
  }
  SeriesForm longer = kImputeForm;
  longer.horizon = 40;
  EXPECT_EQ(SeriesWindows(waves(1, 100), longer, Split::test).count(), 2);
}

TEST(ImputePaths, AreTheSameInAnyCompany) {
  const Model model = small_series_model(kImputeForm);
  const auto device = make_cpu_device(Precision::f32);
  SeriesTable all = waves(2, 60);
  GapPlaces places{{2, 30, 31, 59}, {8}};
  for (std::size_t k = 0; k < 2; ++k)
    for (const std::int64_t place : places[k]) all.series[k].values[std::size_t(place)] = std::nan("");
  const PathOptions options{.paths = 5, .seed = 3, .batch = 16};
  const auto paths = impute_paths(model, *device, all, places, options);
  ASSERT_EQ(paths[0].size(), 20u);
  PathOptions smaller = options;
  smaller.batch = 2;
  EXPECT_EQ(impute_paths(model, *device, all, places, smaller), paths);
  SeriesTable changed = all;
  changed.series[0] = waves(1, 40).series[0];
  EXPECT_EQ(impute_paths(model, *device, changed, {{}, {8}}, options)[1], paths[1]);
  EXPECT_NE(paths[0][0], paths[0][4]) << "paths differ";
}

TEST(ImputePaths, RefuseWhatCannotBeFilled) {
  const Model model = small_series_model(kImputeForm);
  const auto device = make_cpu_device(Precision::f32);
  SeriesTable table = waves(1, 15);
  const auto filling_fails = [&](const SeriesTable& series, std::int64_t place) {
    EXPECT_THROW(impute_paths(model, *device, series, {{place}}, {.paths = 1}), Error);
  };
  filling_fails(table, 2);  // too short
  table = waves(1, 60);
  for (std::size_t i = 20; i < 50; ++i) table.series[0].values[i] = std::nan("");
  filling_fails(table, 30);  // the window knows nothing
  for (double& value : table.series[0].values) value = 7;
  table.series[0].values[3] = std::nan("");
  filling_fails(table, 3);  // constant
  Model forecaster = small_series_model(kImputeForm);
  forecaster.series = SeriesForm{.season = 4, .horizon = 4, .rows = 4, .long_season = 4, .lags = 0};
  EXPECT_THROW(check_impute(forecaster, table, {{3}}), Error);
  EXPECT_THROW(check_forecast(model, table), Error);
}

TEST(ImputeModel, SurvivesItsDirectory) {
  const scratch::Folder folder;
  const Model model = small_series_model(kImputeForm);
  write_pipeline(folder.path(), model, model.params.values());
  EXPECT_EQ(read_pipeline(folder.path()).series, model.series);
}

}  // namespace
}  // namespace diffusion
