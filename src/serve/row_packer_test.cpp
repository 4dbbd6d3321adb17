#include "serve/row_packer.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace diffusion::serve {
namespace {

using Packed = std::vector<PackedSampling>;

// A row alone takes 1.2, each of many 0.5.
BatchTimes times_up_to(std::size_t most) {
  std::vector<BatchTime> times;
  for (const std::size_t rows : batch_sizes(most)) times.push_back({rows, 0.7 + 0.5 * double(rows)});
  return BatchTimes(times);
}

RowOffer offer(std::size_t samplings, std::size_t rows_left, std::size_t rows = 1) {
  return {std::vector<std::size_t>(samplings, rows), rows_left};
}

std::size_t count_of(const Packed& packed, std::size_t job) {
  return std::size_t(std::ranges::count(packed, job, &PackedSampling::job));
}

TEST(BatchSizes, WasteAtMostAHalf) {
  EXPECT_EQ(batch_sizes(1), std::vector<std::size_t>{1});
  EXPECT_EQ(batch_sizes(20), (std::vector<std::size_t>{1, 2, 3, 4, 6, 8, 12, 16, 20}));
  const BatchTimes times = times_up_to(64);
  for (std::size_t rows = 1; rows <= 64; ++rows) {
    EXPECT_GE(times.padded(rows), rows);
    EXPECT_LE(times.padded(rows), rows + rows / 2);
  }
  EXPECT_EQ(times.padded(65), 64u);
}

TEST(BatchTimes, LeaveOutRowsThatDoNotPay) {
  // Up to 4 rows each is cheaper for the company, then no more than by 5%.
  const BatchTimes times = without_needless_rows({{1, 2.0}, {2, 3.0}, {4, 4.0}, {8, 7.8}, {16, 15.4}});
  EXPECT_EQ(times.most(), 4u);
  EXPECT_EQ(without_needless_rows({{1, 1.0}, {2, 1.2}, {4, 1.4}}).most(), 4u);
  EXPECT_EQ(without_needless_rows({{1, 1.0}, {2, 2.5}}).most(), 1u);
}

TEST(RowPacker, TakesAllThatThereIsRoomFor) {
  const BatchTimes times = times_up_to(16);
  EXPECT_EQ(pack_rows(std::vector{offer(64, 10'000)}, times, 0).size(), 16u);
  EXPECT_EQ(pack_rows(std::vector{offer(5, 10'000)}, times, 0).size(), 5u);
  EXPECT_TRUE(pack_rows({}, times, 0).empty());
}

TEST(RowPacker, GivesEveryJobItsTurn) {
  const BatchTimes times = times_up_to(4);
  const std::vector<RowOffer> jobs(10, offer(1, 20));
  std::vector<std::size_t> turns(10);
  for (std::size_t first = 0; first < 10; ++first)
    for (const PackedSampling& p : pack_rows(jobs, times, first)) ++turns[p.job];
  EXPECT_EQ(turns, std::vector<std::size_t>(10, 4));
}

TEST(RowPacker, SharesRowsEvenlyBetweenLongJobs) {
  const Packed packed = pack_rows(std::vector{offer(64, 9'000), offer(64, 9'000)}, times_up_to(16), 0);
  EXPECT_EQ(count_of(packed, 0), 8u);
  EXPECT_EQ(count_of(packed, 1), 8u);
}

TEST(RowPacker, KeepsEvaluationsShortForAShortJob) {
  const BatchTimes times = times_up_to(64);
  const Packed packed = pack_rows(std::vector{offer(64, 3'200), offer(1, 4)}, times, 0);
  EXPECT_EQ(count_of(packed, 1), 1u);
  EXPECT_EQ(count_of(packed, 0), 1u);
  EXPECT_LE(times.seconds(packed.size()), 1.5 * times.seconds(1));
}

TEST(RowPacker, MakesFullUseOfEvaluationsForManyShortJobs) {
  EXPECT_EQ(pack_rows(std::vector<RowOffer>(16, offer(1, 20)), times_up_to(64), 3).size(), 16u);
  EXPECT_EQ(pack_rows(std::vector<RowOffer>(2, offer(8, 80)), times_up_to(64), 1).size(), 16u);
}

TEST(RowPacker, DoesNotDivideGuidedSamplings) {
  const BatchTimes times = times_up_to(5);
  EXPECT_EQ(pack_rows(std::vector{offer(8, 9'000, 2)}, times, 0).size(), 2u);
  EXPECT_EQ(pack_rows(std::vector{offer(2, 9'000, 2), offer(1, 9'000, 1)}, times, 0).size(), 3u);
  EXPECT_EQ(pack_rows(std::vector{offer(3, 9'000, 2)}, times_up_to(1), 0), (Packed{{0, 0}}));
}

}  // namespace
}  // namespace diffusion::serve
