#include "train/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "support/scratch.h"
#include "support/tiny_run.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

using fixtures::expect_same_model, fixtures::Session, fixtures::text_of, fixtures::tiny_config,
    fixtures::train;

TEST(Checkpoint, DamagedOneIsSkippedWithAReason) {
  const scratch::Folder folder;
  TrainConfig config = tiny_config(6);
  config.save_every = 2;
  train(config, folder.path() / "run");
  const fs::path newest = folder.path() / "run/checkpoints/step-000000006";
  ASSERT_TRUE(fs::exists(newest));
  const fs::path victim = newest / "training/state.safetensors";
  std::string bytes = text_of(victim);
  bytes[bytes.size() - 5] = char(bytes[bytes.size() - 5] ^ 1);
  std::ofstream(victim, std::ios::binary) << bytes;
  std::vector<std::string> skipped;
  const auto found =
      find_checkpoint(folder.path() / "run", [&](const std::string& m) { skipped.push_back(m); });
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->filename(), "step-000000004");
  ASSERT_EQ(skipped.size(), 1u);
  EXPECT_NE(skipped[0].find("SHA-256"), std::string::npos) << skipped[0];
  fs::remove_all(*found);
  EXPECT_THROW(find_checkpoint(folder.path() / "run", [](const std::string&) {}), Error);
}

// A run of six steps with checkpoints after 2, 4 and 6, and a link as if the program had died before the
// last.
TrainConfig run_with_stale_link(const fs::path& run) {
  TrainConfig config = tiny_config(6);
  config.save_every = 2;
  config.keep = 3;
  train(config, run);
  fs::remove(run / "latest");
  fs::create_directory_symlink("checkpoints/step-000000004", run / "latest");
  return config;
}

TEST(Checkpoint, ResumePointsTheLinkToTheNewest) {
  const scratch::Folder folder;
  const fs::path run = folder.path() / "run";
  const TrainConfig config = run_with_stale_link(run);
  EXPECT_TRUE(train(config, run).losses.empty());
  EXPECT_EQ(fs::read_symlink(run / "latest"), "checkpoints/step-000000006");
  fs::remove(run / "latest");
  train(config, run);
  EXPECT_EQ(fs::read_symlink(run / "latest"), "checkpoints/step-000000006");
}

TEST(Checkpoint, NewestIsFoundWhateverTheLink) {
  const scratch::Folder folder;
  const fs::path run = folder.path() / "run", newest = run / "checkpoints/step-000000006";
  run_with_stale_link(run);
  std::vector<std::string> said;
  const auto find = [&] { return newest_checkpoint(run, [&](const auto& m) { said.push_back(m); }); };
  EXPECT_EQ(find(), newest);
  ASSERT_EQ(said.size(), 1u);
  EXPECT_NE(said[0].find("step-000000006"), std::string::npos) << said[0];
  said.clear();
  point_latest(run, newest);
  EXPECT_EQ(find(), run / "latest");
  fs::remove(run / "latest");
  EXPECT_EQ(find(), newest);
  EXPECT_TRUE(said.empty());
  fs::remove(newest / "manifest.json");
  EXPECT_EQ(find(), run / "checkpoints/step-000000004");
  EXPECT_EQ(said.size(), 1u);
  fs::remove_all(run / "checkpoints");
  EXPECT_EQ(find(), std::nullopt);
}

TEST(Checkpoint, DamagedNewerOneDoesNotPushOutWhatIsWrittenNow) {
  const scratch::Folder folder;
  const fs::path run = folder.path() / "run";
  TrainConfig config = tiny_config(7);
  config.save_every = 2;
  train(config, run, 6);
  fs::remove(run / "checkpoints/step-000000006/manifest.json");
  config.keep = 1;
  train(config, run, 1);  // from 4 to 5
  EXPECT_TRUE(fs::exists(run / "checkpoints/step-000000005/manifest.json"));
  EXPECT_TRUE(fs::exists(run / "latest/manifest.json"));
}

TEST(Checkpoint, OldOnesArePruned) {
  const scratch::Folder folder;
  TrainConfig config = tiny_config(7);
  config.save_every = 1;
  config.keep = 3;
  train(config, folder.path() / "run");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path() / "run/checkpoints"))
    names.push_back(entry.path().filename());
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector<std::string>{"step-000000005", "step-000000006", "step-000000007"}));
}

}  // namespace
}  // namespace diffusion
