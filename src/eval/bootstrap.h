#pragma once

// How uncertain a score is because there were so many images and not more: intervals from 5% to 95%. The
// random numbers are a function of the seed (Stream::shuffle, one step a resample), so a score has one
// interval.

#include <cstdint>
#include <span>
#include <vector>

#include <diffusion/evaluate.h>
#include "eval/features.h"

namespace diffusion {

// A share of so many independent trials (Wilson 1927), which says something where all or none succeed, too.
Score share_of_trials(double share, double trials);

// How often each of `count` rows is drawn when `count` rows are drawn with replacement. `set` tells the sets
// of one resample apart.
std::vector<int> resample(int count, std::uint64_t seed, std::uint32_t number, std::uint32_t set);

// The quantile q in [0, 1] of at least one value, linear between the order statistics as NumPy does by
// default.
double quantile(std::vector<double> values, double q);

// The mean of per-image values, and that of its resamples (Efron 1979).
Score bootstrap_mean(std::span<const double> values, int resamples, std::uint64_t seed);

// The Frechet distance, both sets resampled. A resample has equal rows (63% of the set appear), so its
// distance is too large by about as much as that of the sets themselves is; so the interval is the spread of
// the resamples around their mean, put around the distance; of fewer than 20 resamples, 1.645 standard
// deviations, since so few have no quantiles. Low is at least 0. One resample costs about 0.6 of the
// distance: count * width^2 multiplications a set, 0.1 s on one core for twice 10,000 rows of 128.
Score bootstrap_frechet(const FeatureSet& generated, const FeatureSet& real, int resamples,
                        std::uint64_t seed);

}  // namespace diffusion
