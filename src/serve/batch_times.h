#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace diffusion::serve {

// How long an evaluation takes by the number of its rows, as it was measured. Rows are padded to one of these
// numbers, because each needs a plan and memory of its own.
struct BatchTime {
  std::size_t rows;
  double seconds;
};

class BatchTimes {
 public:
  explicit BatchTimes(std::vector<BatchTime> times);  // ascending rows, at least one

  std::size_t most() const { return times_.back().rows; }
  // The least number that has place for `rows`; the most if none has.
  std::size_t padded(std::size_t rows) const;
  double seconds(std::size_t rows) const;  // of so many, padded
  // The most rows that take no longer than this, at least `least`.
  std::size_t most_within(double seconds, std::size_t least) const;
  std::span<const BatchTime> all() const { return times_; }

 private:
  std::vector<BatchTime> times_;
};

// Up to the least number of rows where a row costs at most `enough` times what it costs at best: more would
// only make jobs wait for each other. With 0 for `enough` all are left.
BatchTimes without_needless_rows(std::vector<BatchTime> times, double enough = 1.05);

// The numbers of rows from 1 to `most` that evaluations have: at most half as many again as are needed.
std::vector<std::size_t> batch_sizes(std::size_t most);

}  // namespace diffusion::serve
