#pragma once

// Who is in the next evaluation: a pure function.

#include <cstddef>
#include <span>
#include <vector>

#include "serve/batch_times.h"

namespace diffusion::serve {

// What a job would have evaluated now.
struct RowOffer {
  std::vector<std::size_t> rows;  // of each of its samplings, which cannot be divided
  std::size_t rows_left;          // of all its evaluations to come, about
};

struct PackedSampling {
  std::size_t job, sampling;
  bool operator==(const PackedSampling&) const = default;
};

// A job with so few rows left is short.
inline constexpr std::size_t kShortJobRows = 128;

// One sampling of every job, from `first` on, then one more of each and so on, while there is room: what the
// evaluation with most rows holds. A short job should not wait for evaluations that are long for the sake of
// others: with one of them, unless all jobs are short, the second round and those after it go on only while
// the evaluation takes at most half as long again as one of the short job alone. At least one sampling is
// packed, however many rows it has. No offer is empty.
std::vector<PackedSampling> pack_rows(std::span<const RowOffer> offers, const BatchTimes& times,
                                      std::size_t first);

}  // namespace diffusion::serve
