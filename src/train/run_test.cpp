#include "train/run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "data/shapes.h"
#include "diffusers/pipeline.h"
#include "files/sha256.h"
#include "formats/safetensors.h"
#include "support/scratch.h"
#include "support/tiny_run.h"
#include "train/config_checks.h"
#include "train/presets.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

using fixtures::expect_same_model, fixtures::Session, fixtures::text_of, fixtures::tiny_config,
    fixtures::train;

TEST(TrainingRun, LossFalls) {
  const scratch::Folder folder;
  TrainConfig config = tiny_config(60);
  std::get<UNetConfig>(config.network).dropout = 0;
  const Session s = train(config, folder.path() / "run");
  EXPECT_TRUE(s.complete);
  ASSERT_EQ(s.losses.size(), 60u);
  const auto mean = [&](std::size_t from) {
    double sum = 0;
    for (std::size_t i = from; i < from + 10; ++i) sum += s.losses[i];
    return sum / 10;
  };
  EXPECT_LT(mean(50), 0.7 * mean(0));
}

TEST(TrainingRun, ResumedRunIsTheSameBytes) {
  const scratch::Folder folder;
  const TrainConfig config = tiny_config(11);
  const Session whole = train(config, folder.path() / "whole");
  std::vector<double> losses;
  for (int stop_after : {4, 1, 0}) {
    const Session part = train(config, folder.path() / "parts", stop_after);
    losses.insert(losses.end(), part.losses.begin(), part.losses.end());
    EXPECT_EQ(part.complete, stop_after == 0);
  }
  EXPECT_EQ(losses, whole.losses);
  expect_same_model(folder.path() / "whole", folder.path() / "parts");
}

TEST(TrainingRun, SeedDecidesEverything) {
  const scratch::Folder folder;
  TrainConfig config = tiny_config(2);
  const Session a = train(config, folder.path() / "a");
  const Session b = train(config, folder.path() / "b");
  config.seed = 4;
  const Session c = train(config, folder.path() / "c");
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_NE(a.losses, c.losses);
}

TEST(TrainingRun, FinishedRunDoesNothingMore) {
  const scratch::Folder folder;
  train(tiny_config(2), folder.path() / "run");
  const Session again = train(tiny_config(2), folder.path() / "run");
  EXPECT_TRUE(again.complete);
  EXPECT_TRUE(again.losses.empty());
}

TEST(TrainingRun, EveryObjectiveTrains) {
  for (Objective objective : {Objective::epsilon, Objective::v, Objective::x0, Objective::edm}) {
    const scratch::Folder folder;
    TrainConfig config = tiny_config(2);
    config.objective = objective;
    const Session s = train(config, folder.path() / "run");
    for (double loss : s.losses) EXPECT_TRUE(std::isfinite(loss)) << to_string(objective);
    EXPECT_EQ(read_pipeline(folder.path() / "run/latest").preconditioner.objective(), objective);
  }
}

TEST(TrainingRun, RefusesAnotherConfigurationInTheSameDirectory) {
  const scratch::Folder folder;
  train(tiny_config(2), folder.path() / "run");
  TrainConfig other = tiny_config(4);
  other.learning_rate = 0.5;
  std::get<UNetConfig>(other.network).block_out_channels = {16, 48};
  try {
    train(other, folder.path() / "run");
    FAIL() << "not refused";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(e.what()).find("learning_rate"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("block_out_channels"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("0.5"), std::string::npos) << e.what();
  }
}

TEST(TrainingRun, RefusesOtherTrainingLevels) {
  TrainConfig edm = tiny_config(2), flow = edm;
  edm.objective = Objective::edm;
  flow.objective = Objective::flow;
  const auto refuses = [](const TrainConfig& first, const TrainConfig& second, const std::string& field) {
    const scratch::Folder folder;
    train(first, folder.path() / "run");
    const std::string message =
        scratch::error_of(ErrorKind::usage, [&] { train(second, folder.path() / "run"); });
    EXPECT_NE(message.find(field), std::string::npos) << message;
  };
  TrainConfig other = edm;
  other.edm.p_mean = -0.4;
  refuses(edm, other, "p_mean (-1.2 there, -0.4 here)");
  other = edm;
  other.edm.p_std = 1;
  refuses(edm, other, "p_std (1.2 there, 1.0 here)");
  other = edm;
  other.edm.sigma_max = 50;
  refuses(edm, other, "sigma_max (80.0 there, 50.0 here)");
  other = flow;
  other.flow.logit_mean = 0.5;
  refuses(flow, other, "logit_mean (0.0 there, 0.5 here)");
  other = flow;
  other.flow.logit_std = 2;
  refuses(flow, other, "logit_std (1.0 there, 2.0 here)");
}

// The newest checkpoint of `run` as a version wrote it that did not save these fields.
void forget_fields(const fs::path& run, const std::vector<std::string>& fields) {
  const fs::path state = run / "latest/training/state.json", manifest = run / "latest/manifest.json";
  Json json = parse_json(text_of(state), "state");
  auto& config = std::get<Json::Object>(std::get<Json::Object>(json.value())["config"].value());
  for (const std::string& field : fields) EXPECT_EQ(config.erase(field), 1u) << field;
  std::ofstream(state, std::ios::binary) << dump_json(json, 2) << "\n";
  Json list = parse_json(text_of(manifest), "manifest");
  auto& files = std::get<Json::Object>(std::get<Json::Object>(list.value())["files"].value());
  files["training/state.json"] =
      Json::Object{{"size", fs::file_size(state)}, {"sha256", sha256_of_file(state)}};
  std::ofstream(manifest, std::ios::binary) << dump_json(list, 2) << "\n";
}

TEST(TrainingRun, RunsOfOlderVersionsAreResumed) {
  const scratch::Folder folder;
  TrainConfig config = tiny_config(2);
  config.objective = Objective::edm;
  train(config, folder.path() / "edm", 1);
  forget_fields(folder.path() / "edm", {"p_mean", "p_std", "sigma_min", "sigma_max"});
  EXPECT_TRUE(train(config, folder.path() / "edm").complete);

  config.objective = Objective::flow;
  train(config, folder.path() / "flow", 1);
  forget_fields(folder.path() / "flow", {"logit_mean", "logit_std"});
  config.flow.logit_std = 2;
  const std::string message =
      scratch::error_of(ErrorKind::usage, [&] { train(config, folder.path() / "flow"); });
  EXPECT_NE(message.find("logit_std (1.0 there, 2.0 here)"), std::string::npos) << message;
  config.flow.logit_std = 1;
  EXPECT_TRUE(train(config, folder.path() / "flow").complete);
}

TEST(TrainingRun, SecondProcessIsRefused) {
  const scratch::Folder folder;
  TrainingRun first(tiny_config(2), make_shapes(20, 0), folder.path() / "run", [](const std::string&) {});
  try {
    train(tiny_config(2), folder.path() / "run");
    FAIL() << "not refused";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
  }
}

TEST(TrainingRun, NonFiniteLossStopsAndKeepsTheLastCheckpoint) {
  const scratch::Folder folder;
  TrainConfig config = tiny_config(400);
  config.clip = 0;
  config.save_every = 2;
  config.learning_rate = 1e18;
  config.warmup = 0.01;
  try {
    train(config, folder.path() / "run");
    FAIL() << "training went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::non_finite);
    const std::string message = e.what();
    EXPECT_NE(message.find("step "), std::string::npos) << message;
    EXPECT_NE(message.find("images "), std::string::npos) << message;
  }
  std::vector<std::string> skipped;
  if (fs::exists(folder.path() / "run/checkpoints")) {
    EXPECT_NO_THROW(
        find_checkpoint(folder.path() / "run", [&](const std::string& m) { skipped.push_back(m); }));
  }
  EXPECT_TRUE(skipped.empty());
}

TEST(TrainingRun, LogHasOneLinePerStepAfterAKill) {
  const scratch::Folder folder;
  TrainConfig config = tiny_config(6);
  config.save_every = 2;
  train(config, folder.path() / "run", 3);  // saved at 3
  std::ofstream(folder.path() / "run/log.jsonl", std::ios::app)
      << "{\"step\": 4, \"loss\": 9}\n{\"step\": 5, \"lo";
  train(config, folder.path() / "run");
  std::istringstream lines(text_of(folder.path() / "run/log.jsonl"));
  int step = 0;
  for (std::string line; std::getline(lines, line);)
    EXPECT_EQ(to_int(*parse_json(line, "log").find("step"), "step"), ++step);
  EXPECT_EQ(step, 6);
}

}  // namespace
}  // namespace diffusion
