#pragma once

#include <span>
#include <string>
#include <vector>

#include "drawing/plot.h"
#include "train/run_log.h"

namespace diffusion {

struct NamedRun {
  std::string name;
  RunLog log;
};

// Most runs in one plot: as many as there are colors.
inline constexpr std::size_t kMaxPlottedRuns = 7;

// What runs recorded, to be drawn side by side: the loss over the steps, in training (each step's only if
// there is one run) and held-out; the held-out loss by noise level, over the steps if there is one run, else
// of each run's last measurement; the learning rate. What no run recorded has no plot. Error(usage) for no
// run or more than kMaxPlottedRuns.
std::vector<Plot> run_plots(std::span<const NamedRun> runs);

// The mean of about 4% of the steps around each; of fewer at both ends, so that the fast fall at the
// beginning stays.
std::vector<double> smoothed_loss(std::span<const double> loss);

}  // namespace diffusion
