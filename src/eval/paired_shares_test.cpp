#include "eval/paired_shares.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "support/fixtures.h"

namespace diffusion {
namespace {

// Of SciPy: the same statistic, its constrained likelihood maximized numerically, its roots by brentq.
TEST(PairedShares, IntervalsAreThoseOfAnotherProgram) {
  struct Known {
    int count, lost, won;
    double low, high;
  };
  for (const Known& k : {Known{50, 12, 2, 0.0854743825, 0.3204133866},
                         {100, 10, 20, -0.1903220867, -0.0102498556},
                         {4096, 150, 60, 0.0162711825, 0.0279131566},
                         {64, 0, 0, -0.0405594995, 0.0405594995},
                         {30, 0, 5, -0.3049204998, -0.0701549725}}) {
    const Score lost = share_lost(k.count, k.lost, k.won);
    EXPECT_DOUBLE_EQ(lost.value, double(k.lost - k.won) / k.count);
    EXPECT_NEAR(lost.interval.low, k.low, 1e-6) << k.count;
    EXPECT_NEAR(lost.interval.high, k.high, 1e-6) << k.count;
  }
}

TEST(PairedShares, CountsWhatChangedInEitherDirection) {
  const std::vector<bool> before{true, true, true, false, false}, after{true, false, false, true, false};
  const Score lost = share_lost(before, after);
  EXPECT_DOUBLE_EQ(lost.value, 0.2);
  EXPECT_EQ(lost.interval.high, share_lost(5, 2, 1).interval.high);
  const auto shorter = [&] { share_lost(before, {true}); };
  EXPECT_EQ(fixtures::error_of(shorter).kind(), ErrorKind::usage);
  EXPECT_EQ(fixtures::error_of([] { share_lost({}, {}); }).kind(), ErrorKind::usage);
}

double log_binomial(int n, int k, double p) {
  return std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0) + k * std::log(p) +
         (n - k) * std::log1p(-p);
}

// Of all draws of 400 pictures of which 3.5% are lost and 0.5% won, which costs 3 points: how often the bound
// says that it costs less, and how often the share itself does.
TEST(PairedShares, ErrInFivePercentOfDrawsWhereTheShareErrsInHalf) {
  constexpr int kCount = 400;
  constexpr double kLost = 0.035, kWon = 0.005;
  double by_bound = 0, by_share = 0;
  for (int lost = 0; lost <= 45; ++lost)
    for (int won = 0; won <= 15; ++won) {
      const double weight =
          std::exp(log_binomial(kCount, lost, kLost) + log_binomial(kCount - lost, won, kWon / (1 - kLost)));
      if (share_lost(kCount, lost, won).interval.high < kLost - kWon) by_bound += weight;
      if (lost - won <= (kLost - kWon) * kCount) by_share += weight;
    }
  EXPECT_LT(by_bound, 0.06);
  EXPECT_GT(by_bound, 0.03);
  EXPECT_GT(by_share, 0.5);
}

}  // namespace
}  // namespace diffusion
