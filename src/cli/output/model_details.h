#pragma once

// What `diffusion info` finds out beyond the model itself.

#include <cstddef>
#include <filesystem>
#include <optional>

#include "diffusion/model.h"
#include "formats/json.h"

namespace diffusion {

// What one evaluation of the network takes, for images of the model's size.
struct NetworkCost {
  double flops;  // multiplications and additions for one image
  std::size_t weight_bytes;
  // Memory for activations with the fastest precision of this CPU; none: more than this machine gives.
  std::optional<std::size_t> bytes_of_one, bytes_of_batch;
  static constexpr int kBatch = 64;
};
// None if the model does not say how large its images are.
std::optional<NetworkCost> network_cost(Model& model);

// What RUN/log.jsonl says of a training, for a checkpoint RUN/checkpoints/step-<N>.
struct TrainingHistory {
  std::int64_t steps;
  double seconds;
  double first_loss,
      last_loss;  // means of the first and the last kAveraged steps, or of all if there are fewer
  static constexpr std::size_t kAveraged = 20;
};
// None for other pipelines, and without a complete line. Error(bad_input) naming file and line that is not as
// it should be.
std::optional<TrainingHistory> training_history(const std::filesystem::path& pipeline);

// How the model's scheduler would sample: {"sampler": "ddim", "spacing": "leading" or null, "clip": 1.0 or
// null, ...}.
Json sampling_to_json(const SamplingRecipe& sampling);

}  // namespace diffusion
