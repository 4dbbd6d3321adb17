#pragma once

// A checkpoint is a diffusers pipeline directory with the EMA weights, plus what resuming needs:
//   training/state.json         step, seconds, configuration, data fingerprint, environment
//   training/state.safetensors  weights/<name>, moment1/<name>, moment2/<name>, all f32
//   manifest.json               size and SHA-256 of every file, written last
// It appears under its final name, RUN/checkpoints/step-<N>, complete or not at all.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "diffusion/model.h"
#include "formats/json.h"
#include "train/optimizer.h"

namespace diffusion {

// The part of a run's state that is not arrays.
struct TrainingState {
  std::int64_t step = 0;
  double seconds = 0;  // of training so far, over all sessions
  double loss_average = 0;
  Json config;       // to_json(TrainConfig)
  Json data;         // {"name", "count", "fingerprint"}
  Json environment;  // what must agree for a resumed run to be the same bits: cpu, version, threads
};

// Writes RUN/checkpoints/step-<N> with the weights that `model` has on the host, points RUN/latest to it, and
// only then removes those before it, except the newest keep - 1. `report` is told of what cannot be removed.
void write_checkpoint(const std::filesystem::path& run, const Model& model, const Optimizer& optimizer,
                      const TrainingState& state, int keep,
                      const std::function<void(const std::string&)>& report);

// The newest checkpoint whose manifest verifies; none if there are no checkpoints at all. `report` is told of
// every one that was skipped and why. Error(bad_input) if there are checkpoints but none is whole.
std::optional<std::filesystem::path> find_checkpoint(const std::filesystem::path& run,
                                                     const std::function<void(const std::string&)>& report);

// Points RUN/latest to `checkpoint`, one of RUN/checkpoints, if it does not lead there already.
void point_latest(const std::filesystem::path& run, const std::filesystem::path& checkpoint);

// The checkpoint that a person means by the run: the newest. RUN/latest if that leads to it. Otherwise, the
// training may have ended before it could set the link, the newest that is whole, and `report` is told if
// RUN/latest leads elsewhere. None if there are no checkpoints; Error(bad_input) if none is whole.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& run,
                                                       const std::function<void(const std::string&)>& report);

TrainingState read_training_state(const std::filesystem::path& checkpoint);

// Restores the weights of `model` on the host, and moments and EMA where the optimizer has them, exactly.
void read_arrays(const std::filesystem::path& checkpoint, Model& model, Optimizer& optimizer);

}  // namespace diffusion
