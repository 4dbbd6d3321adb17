#pragma once

// Short training runs for tests; implemented in tiny_run_test.cpp, not part of the library.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "train/communicator.h"
#include "train/config.h"

namespace diffusion::fixtures {

// The preset "tiny" on shapes, with dropout, whose masks must survive a resume as well.
TrainConfig tiny_config(std::int64_t steps);

struct Session {
  std::vector<std::string> messages;
  std::vector<double> losses;
  bool complete = false;
};
// Trains in `folder`, stopping after `stop_after` steps of this session if that is not 0.
Session train(const TrainConfig& config, const std::filesystem::path& folder, int stop_after = 0,
              const Communicator& communicator = {});

// Expects the same bytes in the newest checkpoints of two runs: weights, state and configuration.
void expect_same_model(const std::filesystem::path& a, const std::filesystem::path& b);

std::string text_of(const std::filesystem::path& path);

}  // namespace diffusion::fixtures
