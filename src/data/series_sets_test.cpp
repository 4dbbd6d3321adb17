#include "data/series_sets.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "formats/npy.h"
#include "series/baselines.h"
#include "series/scores.h"
#include "support/fixtures.h"
#include "support/scratch.h"

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

TEST(SeriesFiles, NpyArraysAreSeriesInEitherPrecision) {
  const scratch::Folder folder;
  const auto path = folder.path() / "loads.npy";
  const std::vector<float> values{1, 2, 3, NAN, 5, 6, 7, 8};
  write_npy(path, std::vector<std::int64_t>{2, 4}, values);
  SeriesTable table = read_series_file(path);
  EXPECT_EQ(table.name, "loads");
  ASSERT_EQ(table.series.size(), 2u);
  EXPECT_EQ(table.series[1].id, "1");
  EXPECT_EQ(table.series[1].values, (std::vector<double>{5, 6, 7, 8}));
  EXPECT_EQ(table.gaps(), 1);
  EXPECT_FALSE(table.interval);
  write_npy(path, std::vector<std::int64_t>{2, 2, 2}, values);
  table = read_series_file(path);
  EXPECT_EQ(table.series[3].id, "1/1");
  EXPECT_EQ(table.series[3].values, (std::vector<double>{7, 8}));
  // NumPy's own header for float64.
  std::string bytes("\x93NUMPY\x01\x00\x37\x00", 10);
  bytes += "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}";
  bytes.resize(10 + 0x37, ' ');
  const double doubles[] = {0.1, 1e9 + 0.25};
  bytes.append(reinterpret_cast<const char*>(doubles), sizeof doubles);
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(read_series_file(path).series[0].values, (std::vector<double>{0.1, 1e9 + 0.25}));
}

TEST(SeriesFiles, NpyArraysThatAreNoSeriesAreRefused) {
  const scratch::Folder folder;
  const auto path = folder.path() / "bad.npy";
  const auto fails = [&](std::vector<std::int64_t> dims, std::vector<float> values, const std::string& word) {
    write_npy(path, dims, values);
    try {
      read_series_file(path);
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input);
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  fails({1, 1, 1, 1}, {1}, "shape (1, 1, 1, 1)");
  fails({0}, {}, "shape (0)");
  fails({2, 2}, {1, 2, 3, INFINITY}, "series 1, value 1");
  fails({2, 1}, {1, NAN}, "series 1 has no value");
  EXPECT_THROW(read_series_text(path), Error);
}

}  // namespace
}  // namespace diffusion
