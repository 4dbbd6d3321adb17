#pragma once

// What a run records of its steps: RUN/log.jsonl, one JSON object per step, and on request event files for
// TensorBoard beside it.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <diffusion/train.h>
#include "formats/tensorboard.h"

namespace diffusion {

class RunLogWriter {
 public:
  // Goes on after `step`: lines of later steps are removed, as a killed run may have logged more than it
  // saved. Error(io) naming the file when it cannot be written.
  RunLogWriter(const std::filesystem::path& run, std::int64_t step, bool tensorboard);

  // Both are flushed: whoever looks at a run sees its last step.
  void append(const StepReport& report);

 private:
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::optional<EventFile> events_;
};

// The log as columns: entry k of each is about the same step. Steps ascend.
struct RunLog {
  std::vector<double> step, loss, learning_rate, seconds;

  struct HeldOut {
    double step;
    HeldOutLoss measured;
  };
  std::vector<HeldOut> held_out;
};

// The log of a run directory, or of a checkpoint in one (RUN/latest). The run may go on meanwhile: a last
// line that is not whole is left out. If steps were done again after going back to a checkpoint, the later
// ones count. Error(bad_input) if the directory holds no log, and naming file, line and field that is not as
// it should be.
RunLog read_run_log(const std::filesystem::path& run);

}  // namespace diffusion
