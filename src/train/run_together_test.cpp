// Runs that several processes train; here they are threads, see tests/mpi for those of MPI.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "support/memory_wire.h"
#include "support/scratch.h"
#include "support/tiny_run.h"

namespace diffusion {
namespace {

using fixtures::expect_same_model, fixtures::run_together, fixtures::Session, fixtures::tiny_config;

TrainConfig config_of_four_slices(std::int64_t steps) {
  TrainConfig config = tiny_config(steps);
  config.slices = 4;
  config.threads = 1;
  return config;
}

// What the leader saw.
Session train_together(int processes, const TrainConfig& config, const std::filesystem::path& folder,
                       int stop_after = 0) {
  Session of_leader;
  run_together(processes, [&](std::shared_ptr<Wire> wire) {
    const Communicator communicator(std::move(wire));
    // Only the leader needs the folder, and one that has to stop stops all.
    const bool last = communicator.rank() + 1 == communicator.size();
    Session session = fixtures::train(config, communicator.leads() ? folder : folder / "absent",
                                      last ? stop_after : 0, communicator);
    if (communicator.leads()) of_leader = std::move(session);
  });
  EXPECT_FALSE(std::filesystem::exists(folder / "absent"));
  return of_leader;
}

TEST(RunTogether, EndsWithTheBytesOfOneProcess) {
  const scratch::Folder folder;
  std::vector<TrainConfig> configs(3, config_of_four_slices(4));
  configs[1].optimizer = OptimizerKind::muon;
  configs[1].accumulate = 2;
  configs[2].slices = 8;
  configs[2].precision = Precision::f32;
  for (std::size_t k = 0; k < configs.size(); ++k) {
    const std::filesystem::path alone = folder.path() / fmt::format("{}-alone", k);
    const Session one = fixtures::train(configs[k], alone);
    for (const int processes : {1, 2, 3, 4}) {
      const std::filesystem::path run = folder.path() / fmt::format("{}-{}", k, processes);
      EXPECT_EQ(train_together(processes, configs[k], run).losses, one.losses) << processes;
      expect_same_model(alone, run);
    }
  }
}

TEST(RunTogether, GoesOnWithAnotherNumberOfProcesses) {
  const scratch::Folder folder;
  const TrainConfig config = config_of_four_slices(6);
  const Session one = fixtures::train(config, folder.path() / "alone");
  std::vector<double> losses;
  for (const auto& [processes, stop_after] :
       {std::pair{2, 2}, std::pair{4, 1}, std::pair{3, 2}, std::pair{1, 0}}) {
    const Session part = train_together(processes, config, folder.path() / "parts", stop_after);
    losses.insert(losses.end(), part.losses.begin(), part.losses.end());
    EXPECT_EQ(part.complete, processes == 1);
  }
  EXPECT_EQ(losses, one.losses);
  expect_same_model(folder.path() / "alone", folder.path() / "parts");
}

// The loss of all slices, and the norm of all gradients, are known to all.
TEST(RunTogether, AllEndWhereOneSeesNaN) {
  const scratch::Folder folder;
  TrainConfig config = config_of_four_slices(50);
  config.learning_rate = 1e30;
  std::atomic<int> ended = 0;
  run_together(3, [&](std::shared_ptr<Wire> wire) {
    const Communicator communicator(std::move(wire));
    const auto train = [&] { fixtures::train(config, folder.path() / "run", 0, communicator); };
    const std::string message = scratch::error_of(ErrorKind::non_finite, train);
    EXPECT_NE(message.find("at step"), std::string::npos) << message;
    ++ended;
  });
  EXPECT_EQ(ended, 3);
}

TEST(RunTogether, MoreProcessesThanSlicesAreRefused) {
  const scratch::Folder folder;
  TrainConfig config = config_of_four_slices(1);
  config.slices = 2;
  const std::string message =
      scratch::error_of(ErrorKind::usage, [&] { train_together(3, config, folder.path() / "run"); });
  EXPECT_NE(message.find("slices is 2"), std::string::npos) << message;
  EXPECT_NE(message.find("3 processes"), std::string::npos) << message;
}

TEST(RunTogether, ThoseWhoTrainSomethingElseAreNamed) {
  const scratch::Folder folder;
  std::string message;
  run_together(2, [&](std::shared_ptr<Wire> wire) {
    const Communicator communicator(std::move(wire));
    TrainConfig config = config_of_four_slices(1);
    if (!communicator.leads()) config.seed = 77;
    try {
      fixtures::train(config, folder.path() / "run", 0, communicator);
      ADD_FAILURE();
    } catch (const Error& e) {
      if (communicator.leads()) message = e.what();
      // The other waits for the leader in vain; MPI ends it.
    }
  });
  EXPECT_NE(message.find("process 1 of 2"), std::string::npos) << message;
  EXPECT_NE(message.find("seed (77 there, 3 here)"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "run"));
}

}  // namespace
}  // namespace diffusion
