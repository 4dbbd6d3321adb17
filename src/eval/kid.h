#pragma once

#include <cstdint>

#include "eval/bootstrap.h"
#include "eval/features.h"

namespace diffusion {

// The unbiased estimate of the squared maximum mean discrepancy with the kernel (x y / width + 1)^3: the mean
// kernel within each set, without the pairs of a row with itself, minus twice that between them. May be
// negative. At least 2 rows each.
double squared_discrepancy(const FeatureSet& generated, const FeatureSet& real);

struct KidOptions {
  int subsets = 100, subset_size = 1000;  // the size is at most that of the smaller set
};

// Kernel inception distance (Binkowski et al. 2018, arXiv 1801.01401), with whatever features: the mean over
// random subsets, each without replacement, which is what the usual programs report. Subsets of n of N images
// spread more than the estimate from all of them does; the interval is their spread times sqrt(n / N)
// (subsampling, Politis & Romano 1994), N the smaller set. It is no better than the spread of the mean of all
// subsets, so it does not promise too much where n is close to N. Where both sets are drawn from one
// distribution it is too wide.
Score kernel_distance(const FeatureSet& generated, const FeatureSet& real, const KidOptions& options,
                      std::uint64_t seed);

}  // namespace diffusion
