#include "cli/output/score_text.h"

#include <fmt/format.h>

#include <cmath>

namespace diffusion {

Json score_json(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json interval_json(double value, const Interval& interval) {
  return Json::Object{
      {"value", score_json(value)}, {"low", score_json(interval.low)}, {"high", score_json(interval.high)}};
}

std::string score_text(double value, int width, int digits) {
  return std::isfinite(value) ? fmt::format("{:>{}.{}f}", value, width, digits)
                              : fmt::format("{:>{}}", "-", width);
}

std::string percent_text(double share, int width, int digits) {
  return score_text(100 * share, width, digits) + (std::isfinite(share) ? '%' : ' ');
}

}  // namespace diffusion
