#include "data/series_sets.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <diffusion/error.h>
#include "series/baselines.h"
#include "series/scores.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

using namespace fixtures;

ForecastScores scores_of_naive(const SeriesTable& history, const SeriesTable& future, int horizon) {
  std::vector<SeriesScore> scores;
  for (std::size_t k = 0; k < history.series.size(); ++k) {
    const std::vector<double>& known = history.series[k].values;
    scores.push_back(
        score_series(seasonal_naive({known, horizon, 24, 168}), future.series[k].values, known, 24));
  }
  return summarize(scores, scores);
}

// None where the real files are not on this machine.
std::optional<SeriesData> real_series(const std::string& name) {
  try {
    return load_series(name, {.allow_download = false});
  } catch (const Error&) {
    return std::nullopt;
  }
}

// Ansari et al. 2024, "Chronos" (arXiv 2403.07815), and the files of its evaluation.
TEST(SeriesProtocol, SeasonalNaiveOfM4HourlyIsAsPublished) {
  const auto data = real_series("m4-hourly");
  if (!data) GTEST_SKIP() << "no M4 Hourly here";
  ASSERT_EQ(data->history.series.size(), 414u);
  const ForecastScores scores = scores_of_naive(data->history, *data->future, 48);
  EXPECT_NEAR(scores.wql, 0.04831, 5e-6);
  EXPECT_NEAR(scores.mase, 1.1932, 5e-5);
}

TEST(SeriesProtocol, SeasonalNaiveOfEtthIsAsPublished) {
  const auto first = real_series("etth1"), second = real_series("etth2");
  if (!first || !second) GTEST_SKIP() << "no ETTh here";
  SeriesTable both = first->history;
  for (const TimeSeries& series : second->history.series) both.series.push_back(series);
  ASSERT_EQ(both.series.size(), 14u);
  const SplitSeries split = split_at_end(both, 24);
  const ForecastScores scores = scores_of_naive(split.history, split.future, 24);
  EXPECT_NEAR(scores.wql, 0.12209, 5e-6);
  EXPECT_NEAR(scores.mase, 0.9316, 5e-5);
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

TEST(SeriesSets, AreFoundInFoldersOfTheUser) {
  const TemporaryFolder folder;
  write_text(folder.path() / "series/m4-hourly-train.csv", "V1,V2,V3\nH1,1,2\n");
  write_text(folder.path() / "series/m4-hourly-test.csv", "V1,V2\nH1,3\n");
  const SeriesData data = load_series("m4-hourly", {.data_dir = folder.path(), .allow_download = false});
  EXPECT_EQ(data.history.name, "m4-hourly");
  EXPECT_EQ(data.history.series[0].values, (std::vector<double>{1, 2}));
  EXPECT_EQ(data.future->series[0].values, (std::vector<double>{3}));
}

TEST(SeriesSets, TestAndTrainingMustBeOfTheSameSeries) {
  const TemporaryFolder folder;
  write_text(folder.path() / "Hourly-train.csv", "V1,V2,V3\nH1,1,2\n");
  write_text(folder.path() / "Hourly-test.csv", "V1,V2\nH2,3\n");
  EXPECT_THROW(load_series("m4-hourly", {.data_dir = folder.path(), .allow_download = false}), Error);
}

TEST(SeriesSets, WhatIsMissingIsSaid) {
  const TemporaryFolder folder;
  try {
    load_series("etth1", {.data_dir = folder.path(), .allow_download = false});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ETTh1.csv"), std::string::npos) << error.what();
  }
  EXPECT_THROW(load_series("no-such-series", {}), Error);
}

TEST(SeriesSets, FilesByPathNameTheirTable) {
  const TemporaryFolder folder;
  write_text(folder.path() / "sales.2024.csv", "a\n1\n2\n");
  EXPECT_EQ(load_series((folder.path() / "sales.2024.csv").string(), {}).history.name, "sales");
  write_text(folder.path() / "empty.csv", "");
  EXPECT_THROW(load_series((folder.path() / "empty.csv").string(), {}), Error);
  write_text(folder.path() / "torn.csv", std::string("\xFD\x37zXZ\0\0\4", 8) + "nothing");
  EXPECT_THROW(load_series((folder.path() / "torn.csv").string(), {}), Error);
}

}  // namespace
}  // namespace diffusion
