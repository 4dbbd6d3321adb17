#include "serve/batch_times.h"

#include <algorithm>
#include <utility>

namespace diffusion::serve {

BatchTimes::BatchTimes(std::vector<BatchTime> times) : times_(std::move(times)) {}

std::size_t BatchTimes::padded(std::size_t rows) const {
  const auto found = std::ranges::lower_bound(times_, rows, {}, &BatchTime::rows);
  return found == times_.end() ? most() : found->rows;
}

double BatchTimes::seconds(std::size_t rows) const {
  return std::ranges::find(times_, padded(rows), &BatchTime::rows)->seconds;
}

std::size_t BatchTimes::most_within(double seconds, std::size_t least) const {
  std::size_t rows = padded(least);
  for (const BatchTime& time : times_)
    if (time.seconds <= seconds) rows = std::max(rows, time.rows);
  return rows;
}

BatchTimes without_needless_rows(std::vector<BatchTime> times, double enough) {
  const auto of_a_row = [](const BatchTime& time) { return time.seconds / double(time.rows); };
  const double best = of_a_row(std::ranges::min(times, {}, of_a_row));
  const auto found =
      std::ranges::find_if(times, [&](const BatchTime& time) { return of_a_row(time) <= enough * best; });
  if (found != times.end()) times.erase(found + 1, times.end());
  return BatchTimes(std::move(times));
}

std::vector<std::size_t> batch_sizes(std::size_t most) {
  std::vector<std::size_t> sizes{1};
  for (std::size_t power = 2; power <= most; power *= 2) {
    sizes.push_back(power);
    if (power + power / 2 <= most) sizes.push_back(power + power / 2);
  }
  if (sizes.back() != most) sizes.push_back(most);
  return sizes;
}

}  // namespace diffusion::serve
