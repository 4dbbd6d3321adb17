#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace diffusion {

// How far an evaluation is: one part after the other, each from share 0 to 1.
struct EvaluationProgress {
  std::string_view part;    // "features of samples"
  double share = 0;         // of this part that is done
  std::int64_t images = 0;  // that the part is of; 0: it does not count images
  std::string_view note = {};
};

using EvaluationWatch = std::function<void(const EvaluationProgress&)>;

}  // namespace diffusion
