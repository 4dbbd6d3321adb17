#pragma once

#include <optional>
#include <string>

#include "base/progress.h"
#include "eval/evaluation_watch.h"

namespace diffusion {

// A progress line for each part of an evaluation.
class PartProgress {
 public:
  explicit PartProgress(bool quiet) : quiet_(quiet) {}

  void show(const EvaluationProgress& now);
  void finish() { line_.reset(); }

 private:
  bool quiet_;
  std::string part_;
  std::optional<Progress> line_;
};

}  // namespace diffusion
