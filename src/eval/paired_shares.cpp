#include "eval/paired_shares.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <diffusion/error.h>

namespace diffusion {

namespace {

// Whether a true difference `lost - won` of shares would be too large for these counts: they would come out
// as low in less than 5% of all draws. The variance is that of the likeliest pair of shares with this
// difference.
bool is_too_large(double difference, double count, double lost, double won) {
  constexpr double kZ = 1.6448536269514722;
  const double a = 2 * count, b = difference * (2 * count - lost + won) - lost - won,
               c = -won * difference * (1 - difference),
               won_share = (std::sqrt(std::max(0.0, b * b - 4 * a * c)) - b) / (2 * a),
               variance = count * (2 * won_share + difference * (1 - difference));
  return lost - won - count * difference <= -kZ * std::sqrt(std::max(0.0, variance));
}

double upper_end(double count, double lost, double won) {
  double low = (lost - won) / count, high = 1;
  constexpr int kHalvings = 50;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (is_too_large(middle, count, lost, won) ? high : low) = middle;
  }
  return high;
}

}  // namespace

Score share_lost(int count, int lost, int won) {
  return {double(lost - won) / count, {-upper_end(count, won, lost), upper_end(count, lost, won)}};
}

Score share_lost(const std::vector<bool>& before, const std::vector<bool>& after) {
  if (before.empty() || before.size() != after.size())
    throw Error(ErrorKind::usage,
                fmt::format("{} things before and {} after; accepted are as many, at least 1", before.size(),
                            after.size()));
  int lost = 0, won = 0;
  for (std::size_t k = 0; k < before.size(); ++k) {
    if (before[k] && !after[k]) ++lost;
    if (!before[k] && after[k]) ++won;
  }
  return share_lost(int(before.size()), lost, won);
}

}  // namespace diffusion
