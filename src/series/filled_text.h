#pragma once

#include <span>
#include <string>
#include <string_view>

#include "series/read_series.h"

namespace diffusion {

// The text with `values[i]` written where gap i was, in seven digits, and every other byte as it is. `gaps`
// are those of read_series() for this text; Error(internal) unless there are as many values.
std::string filled_text(std::string_view csv, std::span<const GapCell> gaps, std::span<const double> values);

}  // namespace diffusion
