#include "train/outlook.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace diffusion {

namespace {

constexpr double kDeviations = 4;  // a rise of fewer may be chance

using Points = std::span<const RunLog::HeldOut>;

// The share by which the line over log2(step) that fits best falls while the step doubles up to the last one.
double fall_per_doubling(Points points) {
  double x = 0, y = 0, xx = 0, xy = 0;
  const double last = points.back().step;
  for (const auto& p : points) {
    const double doublings = std::log2(p.step / last);
    x += doublings;
    y += p.measured.loss;
    xx += doublings * doublings;
    xy += doublings * p.measured.loss;
  }
  const auto n = double(points.size());
  const double slope = (n * xy - x * y) / (n * xx - x * x), at_last = (y - slope * x) / n;
  return -slope / (at_last - slope);
}

// The standard deviation of a measurement around a smooth curve, from how far each lies from the middle of
// its neighbors.
double scatter(Points points) {
  double sum = 0;
  for (std::size_t k = 1; k + 1 < points.size(); ++k) {
    const double d =
        points[k].measured.loss - (points[k - 1].measured.loss + points[k + 1].measured.loss) / 2;
    sum += d * d / 1.5;  // the variance of d is 1 + 1/4 + 1/4
  }
  return std::sqrt(sum / double(points.size() - 2));
}

// The mean training loss of the steps in [from, to].
double training_loss(const RunLog& log, double from, double to) {
  double sum = 0, count = 0;
  for (std::size_t k = 0; k < log.step.size(); ++k)
    if (log.step[k] >= from && log.step[k] <= to) {
      sum += log.loss[k];
      count += 1;
    }
  return sum / count;
}

// From around `step` to the end. A single step's loss says little: as many as there are in a quarter of the
// way.
bool training_loss_fell_since(const RunLog& log, double step) {
  const double last = log.step.back(), width = (last - step) / 4;
  return training_loss(log, last - width, last) < training_loss(log, step - width / 2, step + width / 2);
}

}  // namespace

std::string_view to_string(OutlookKind kind) {
  switch (kind) {
    case OutlookKind::unknown:
      return "unknown";
    case OutlookKind::too_early:
      return "too_early";
    case OutlookKind::falling:
      return "falling";
    case OutlookKind::flat:
      return "flat";
    case OutlookKind::overfitting:
      return "overfitting";
    case OutlookKind::rising:
      return "rising";
  }
  return "unknown";
}

Outlook outlook_of(const RunLog& log) {
  std::vector<RunLog::HeldOut> finite;
  std::ranges::copy_if(log.held_out, std::back_inserter(finite),
                       [](const auto& p) { return std::isfinite(p.measured.loss) && p.measured.loss > 0; });
  Outlook outlook;
  if (finite.empty()) return outlook;
  outlook.last_step = finite.back().step;
  outlook.half_step = outlook.last_step / 2;
  const auto late = std::ranges::find_if(finite, [&](const auto& p) { return p.step >= outlook.half_step; });
  const Points last_doubling(late, finite.end());
  outlook.kind = OutlookKind::too_early;
  if (finite.size() < 4 || late == finite.begin() || last_doubling.size() < 3) return outlook;

  const auto loss = [](const auto& p) { return p.measured.loss; };
  const auto best = std::ranges::min_element(finite, {}, loss);
  outlook.fall = fall_per_doubling(last_doubling);
  outlook.best_step = best->step;
  outlook.rise = loss(finite.back()) / loss(*best) - 1;
  const double least_rise = std::max(Outlook::kLeastRise, kDeviations * scatter(last_doubling) / loss(*best));
  if (outlook.rise > least_rise)
    outlook.kind = training_loss_fell_since(log, best->step) ? OutlookKind::overfitting : OutlookKind::rising;
  else
    outlook.kind = outlook.fall >= Outlook::kLeastFall ? OutlookKind::falling : OutlookKind::flat;
  return outlook;
}

std::string describe(const Outlook& o) {
  switch (o.kind) {
    case OutlookKind::unknown:
      return "Whether more steps will help cannot be told: no loss on held-out test images was recorded.";
    case OutlookKind::too_early:
      return "It is too early to tell whether more steps will help: the loss on held-out test images has not "
             "been measured often enough.";
    case OutlookKind::falling:
      return fmt::format(
          "More steps should help: from step {:.0f} to {:.0f} the loss on held-out test images fell by "
          "{:.1f}%. Twice as many steps will gain somewhat less than that again.",
          o.half_step, o.last_step, 100 * o.fall);
    case OutlookKind::flat:
      return fmt::format(
          "More steps will hardly help: from step {:.0f} to {:.0f} the loss on held-out test images changed "
          "by {:+.1f}%. A larger network or more training images may still gain something.",
          o.half_step, o.last_step, -100 * o.fall);
    case OutlookKind::overfitting:
      return fmt::format(
          "More steps will not help: the loss on held-out test images was lowest at step {:.0f} and has "
          "risen by {:.1f}% since, while the loss on training images went on falling. The network is "
          "learning its training images by heart (overfitting). More images, dropout, or mirrored ones "
          "where these make sense work against it; else stop around that step.",
          o.best_step, 100 * o.rise);
    case OutlookKind::rising:
      return fmt::format(
          "More steps like these will not help: the loss on held-out test images was lowest at step {:.0f} "
          "and has risen by {:.1f}% since, and the loss on training images does not fall either. Try a lower "
          "learning rate.",
          o.best_step, 100 * o.rise);
  }
  return {};
}

}  // namespace diffusion
