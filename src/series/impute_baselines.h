#pragma once

// Gaps filled without any training: what every model is compared with.

#include <span>
#include <string_view>
#include <vector>

namespace diffusion {

// All three take values of which one or more is known, NaN elsewhere, and give them without gaps.

// Lines between neighbors that are known; the first and the last known value go on to the ends.
std::vector<double> line_between(std::span<const double> values, int season);

// The mean of what is known at the same place of the season, at most seven seasons before and after; a line
// where there is none.
std::vector<double> seasonal_mean(std::span<const double> values, int season);

// Lines between the distances of what is known from that mean, put upon the mean.
std::vector<double> seasonal_mean_and_line(std::span<const double> values, int season);

struct ImputeBaseline {
  std::string_view name;
  std::vector<double> (*fill)(std::span<const double> values, int season);
};
std::span<const ImputeBaseline> impute_baselines();

}  // namespace diffusion
