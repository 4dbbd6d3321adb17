#include "train/patience.h"

#include <cmath>

namespace diffusion {

Patience::Patience(int patience, const RunLog& log) : patience_(patience) {
  for (const RunLog::HeldOut& measured : log.held_out)
    add(std::int64_t(measured.step), measured.measured.loss);
}

bool Patience::add(std::int64_t step, double loss) {
  if (std::isnan(loss) || (best_loss_ && !(loss < *best_loss_))) {
    ++worse_;
    return false;
  }
  best_loss_ = loss;
  best_step_ = step;
  worse_ = 0;
  return true;
}

}  // namespace diffusion
