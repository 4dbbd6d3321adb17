// Batches that are computed in parts, one after the other or by threads of their own.

#include "train/sliced_task.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/scratch.h"
#include "support/tiny_run.h"

namespace diffusion {
namespace {

using fixtures::expect_same_model, fixtures::Session, fixtures::tiny_config, fixtures::train;

TEST(TrainingRun, AccumulationComputesTheSameGradient) {
  const scratch::Folder folder;
  TrainConfig config = tiny_config(3);
  config.precision = Precision::f32;
  const Session whole = train(config, folder.path() / "whole");
  config.accumulate = 4;
  const Session parts = train(config, folder.path() / "parts");
  for (std::size_t i = 0; i < whole.losses.size(); ++i)  // another order of summation, nothing else
    EXPECT_NEAR(parts.losses[i], whole.losses[i], 1e-5 * whole.losses[i]) << "step " << i + 1;
}

TEST(SlicedTask, ComputesTheSameGradient) {
  const scratch::Folder folder;
  TrainConfig config = tiny_config(3);
  config.precision = Precision::f32;
  const Session whole = train(config, folder.path() / "whole");
  config.slices = 4;
  const Session sliced = train(config, folder.path() / "sliced");
  config.accumulate = 2;
  const Session both = train(config, folder.path() / "both");
  for (std::size_t i = 0; i < whole.losses.size(); ++i) {  // another order of summation, nothing else
    EXPECT_NEAR(sliced.losses[i], whole.losses[i], 1e-5 * whole.losses[i]) << "step " << i + 1;
    EXPECT_NEAR(both.losses[i], whole.losses[i], 1e-5 * whole.losses[i]) << "step " << i + 1;
  }
}

TEST(SlicedTask, GivesTheSameBytesForAnyNumberOfThreads) {
  for (const int slices : {4, 8}) {
    const scratch::Folder folder;
    TrainConfig config = tiny_config(4);
    config.slices = slices;
    config.optimizer = OptimizerKind::muon;
    config.threads = 1;
    const Session one = train(config, folder.path() / "1");
    for (const int threads : {2, 3}) {
      config.threads = threads;
      const std::filesystem::path run = folder.path() / std::to_string(threads);
      EXPECT_EQ(train(config, run).losses, one.losses) << threads;
      expect_same_model(folder.path() / "1", run);
    }
    config.threads = 2;  // begun by one number of threads, ended by another
    std::vector<double> losses = train(config, folder.path() / "parts", 2).losses;
    config.threads = 3;
    const Session rest = train(config, folder.path() / "parts");
    losses.insert(losses.end(), rest.losses.begin(), rest.losses.end());
    EXPECT_EQ(losses, one.losses);
    expect_same_model(folder.path() / "1", folder.path() / "parts");
  }
}

TEST(SlicedTask, WithGradientCheckpointingGivesTheSameBytes) {
  const scratch::Folder folder;
  TrainConfig config = tiny_config(3);
  config.slices = 4;
  config.threads = 2;
  const Session all = train(config, folder.path() / "all");
  config.gradient_checkpointing = true;
  EXPECT_EQ(train(config, folder.path() / "less").losses, all.losses);
  expect_same_model(folder.path() / "all", folder.path() / "less");
}

}  // namespace
}  // namespace diffusion
