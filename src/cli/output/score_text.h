#pragma once

// Scores as they are printed. Of nothing there is no score: NaN is "-", and null in JSON.

#include <string>

#include <diffusion/evaluate.h>
#include "formats/json.h"

namespace diffusion {

Json score_json(double value);
Json interval_json(double value, const Interval& interval);  // value, low and high

// To the right in so many columns.
std::string score_text(double value, int width, int digits);
// The same of 100 times a share, with a sign or a space behind it.
std::string percent_text(double share, int width, int digits);

}  // namespace diffusion
