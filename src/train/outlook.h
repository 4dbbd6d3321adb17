#pragma once

#include <string>
#include <string_view>

#include "train/run_log.h"

namespace diffusion {

// Whether more steps will help, from the held-out loss of a run, whose weights are averages over the last
// part of the run and whose images and noise are always the same: its curve is smooth enough to read.
enum class OutlookKind {
  unknown,      // no held-out loss was recorded
  too_early,    // fewer than four measurements, or none from the first half of the steps
  falling,      // by kLeastFall or more while the number of steps doubled
  flat,         // by less
  overfitting,  // kLeastRise above its lowest (and more than its scatter), while the loss in training went on
                // falling
  rising,       // kLeastRise above its lowest, and the loss in training does not fall either
};

std::string_view to_string(OutlookKind kind);

struct Outlook {
  static constexpr double kLeastFall = 0.005, kLeastRise = 0.01;

  OutlookKind kind = OutlookKind::unknown;
  double half_step = 0, last_step = 0;  // the last doubling of the steps
  // Share by which the held-out loss fell in it: of the straight line over log(step) that fits the
  // measurements there best. Negative: it rose.
  double fall = 0;
  // Where it was lowest, and the share by which it has risen since.
  double best_step = 0, rise = 0;
};

Outlook outlook_of(const RunLog& log);

// One or two plain sentences for a person who is learning.
std::string describe(const Outlook& outlook);

}  // namespace diffusion
