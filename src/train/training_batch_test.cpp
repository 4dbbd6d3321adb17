#include "train/training_batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "data/shapes.h"
#include "train/presets.h"

namespace diffusion {
namespace {

constexpr int kBatch = 20, kTimesteps = 1000, kNullClass = 10;

std::vector<double> timesteps_of(BatchMaker& maker, std::uint32_t step) {
  TrainingBatch batch;
  maker.make(step, {0, kBatch}, batch);
  return {batch.timesteps.begin(), batch.timesteps.end()};
}

class TrainingBatchTest : public testing::Test {
 protected:
  static TrainConfig config() {
    TrainConfig config = preset_config("tiny");
    config.batch = kBatch;
    config.seed = 3;
    return config;
  }

  const TrainConfig config_ = config();
  Dataset shapes_ = make_shapes(50, 0);
  Preconditioner preconditioner_{Objective::v, make_schedule(ScheduleKind::cosine, kTimesteps)};
  BatchMaker maker_{shapes_, config_, preconditioner_, kNullClass};
};

TEST_F(TrainingBatchTest, TheLevelsOfABatchLieEvenly) {
  for (std::uint32_t step = 0; step < 10; ++step) {
    std::vector<double> t = timesteps_of(maker_, step);
    std::ranges::sort(t);
    for (std::size_t i = 0; i < kBatch; ++i) {
      const double next = i + 1 < kBatch ? t[i + 1] : t[0] + kTimesteps;
      EXPECT_NEAR(next - t[i], kTimesteps / kBatch, 1) << "step " << step << ", level " << i;
    }
  }
}

TEST_F(TrainingBatchTest, TheLevelsOfAnImageAreUniform) {
  constexpr int kSteps = 1000, kBins = 10;
  std::vector<int> counts(kBins);
  for (std::uint32_t step = 0; step < kSteps; ++step)
    ++counts[std::size_t(timesteps_of(maker_, step)[7]) * kBins / kTimesteps];
  double chi_squared = 0;
  for (const int count : counts) chi_squared += std::pow(count - kSteps / kBins, 2) / (kSteps / kBins);
  EXPECT_LT(chi_squared, 27.9);  // 9 degrees of freedom, p = 0.001
}

TEST_F(TrainingBatchTest, IsAPureFunctionOfSeedAndStep) {
  TrainingBatch a, b;
  maker_.make(5, {0, kBatch}, a);
  maker_.make(6, {0, kBatch}, b);
  EXPECT_NE(a.input, b.input);
  EXPECT_NE(a.timesteps, b.timesteps);
  BatchMaker again(shapes_, config_, preconditioner_, kNullClass);
  again.make(5, {0, kBatch}, b);
  EXPECT_EQ(a.input, b.input);
  EXPECT_EQ(a.target, b.target);
  EXPECT_EQ(a.timesteps, b.timesteps);
  EXPECT_EQ(a.labels, b.labels);
}

TEST_F(TrainingBatchTest, PartsOfABatchAreTheWhole) {
  TrainingBatch whole, part;
  maker_.make(7, {0, kBatch}, whole);
  const auto expect_part = [&](const auto& all, const auto& some, std::size_t first) {
    const std::size_t size = all.size() / kBatch;
    EXPECT_TRUE(std::ranges::equal(some, std::span(all).subspan(first * size, some.size()))) << first;
  };
  for (const SampleRange range : {SampleRange{0, 5}, {5, 1}, {6, 14}}) {
    maker_.make(7, range, part);
    ASSERT_EQ(part.sigmas.size(), std::size_t(range.count));
    const auto first = std::size_t(range.first);
    expect_part(whole.input, part.input, first);
    expect_part(whole.target, part.target, first);
    expect_part(whole.timesteps, part.timesteps, first);
    expect_part(whole.weights, part.weights, first);
    expect_part(whole.sigmas, part.sigmas, first);
  }
}

}  // namespace
}  // namespace diffusion
