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

TEST(TrainConfig, ImpossibleChoicesAreRefusedByName) {
  const auto message = [](auto change) {
    TrainConfig c = tiny_config(1);
    change(c);
    try {
      validate(c);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(message([](TrainConfig& c) { c.batch = 0; }).find("batch is 0"), std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.accumulate = 3; }).find("accumulate is 3"), std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.slices = 3; }).find("slices is 3"), std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.learning_rate = std::nan(""); }).find("learning_rate is "),
            std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.learning_rate = -1; }).find("learning_rate is "),
            std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.budget.minutes = 1; }).find("exactly one"), std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) { c.budget.steps = 0; }).find("steps is 0"), std::string::npos);
  EXPECT_NE(message([](TrainConfig& c) {
              std::get<UNetConfig>(c.network).norm_num_groups = 5;
            }).find("norm_num_groups"),
            std::string::npos);
  EXPECT_EQ(message([](TrainConfig&) {}), "accepted");
}

TEST(TrainConfig, LearningRateRisesAndFalls) {
  EXPECT_DOUBLE_EQ(learning_rate_factor(0.1, 0), 0);
  EXPECT_DOUBLE_EQ(learning_rate_factor(0.1, 0.05), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_factor(0.1, 0.1), 1);
  EXPECT_NEAR(learning_rate_factor(0.1, 0.55), 0.5, 1e-12);
  EXPECT_NEAR(learning_rate_factor(0.1, 1), 0, 1e-12);
  EXPECT_DOUBLE_EQ(learning_rate_factor(0, 0), 1);
}

// What the tutorial's framework gives for 10 epochs from 1e-4 to 1e-7.
TEST(TrainConfig, StaircaseHasTheTutorialsRates) {
  const double rates[] = {1.0e-4,   9.755e-5, 9.046e-5, 7.941e-5, 6.549e-5,
                          5.005e-5, 3.461e-5, 2.069e-5, 9.64e-6,  2.54e-6};
  for (std::uint64_t epoch = 0; epoch < 10; ++epoch)
    EXPECT_NEAR(staircase_cosine(1e-7, 1e-4, 10, epoch), rates[epoch], 6e-9) << epoch;
  EXPECT_DOUBLE_EQ(staircase_cosine(1e-7, 1e-4, 10, 25), 1e-7);
}

TEST(TrainConfig, DataChooseThePreset) {
  EXPECT_EQ(preset_for(""), "fashion-mnist");
  EXPECT_EQ(preset_for("fashion-mnist"), "fashion-mnist");
  EXPECT_EQ(preset_for("mnist"), "mnist");
  EXPECT_EQ(preset_for("cifar10"), "cifar10");
  EXPECT_EQ(preset_for("photos"), "fashion-mnist");
  EXPECT_EQ(preset_for(std::array{28, 28}), "fashion-mnist");
  EXPECT_EQ(preset_for(std::array{48, 32}), "fashion-mnist");
  EXPECT_EQ(preset_for(std::array{32, 49}), "folder-64");
  EXPECT_EQ(preset_config("cifar10").data, "cifar10");
  EXPECT_TRUE(preset_config("folder-64").data.empty());
}

TEST(TrainConfig, TutorialIsTheTutorial) {
  const TrainConfig c = preset_config("tutorial");
  ASSERT_TRUE(std::holds_alternative<ConvNextConfig>(c.network));
  EXPECT_EQ(c.batch, 16);
  EXPECT_EQ(c.timesteps, 200);
  EXPECT_EQ(c.loss, LossKind::huber);
  EXPECT_EQ(c.budget.epochs, 10);
  EXPECT_FALSE(c.ema_exponent.has_value());
  EXPECT_FALSE(c.clip_samples);
  EXPECT_TRUE(c.flip);
  // The weight is there and does nothing.
  const Preconditioner preconditioner = make_preconditioner(c);
  for (double sigma : {0.01, 1.0, 2.5}) EXPECT_EQ(loss_weight(c.weighting, preconditioner, sigma), 1);
  EXPECT_NEAR(preconditioner.schedule()->terminal_snr(), 0.152, 5e-4);
}

TEST(TrainConfig, TutorialFixedEndsInNoise) {
  const TrainConfig c = preset_config("tutorial-fixed");
  EXPECT_FALSE(terminal_snr_warning(*make_preconditioner(c).schedule()).has_value());
  EXPECT_TRUE(c.ema_exponent.has_value());
  EXPECT_TRUE(c.clip_samples);
  EXPECT_FALSE(c.flip);
  EXPECT_EQ(c.batch, preset_config("tutorial").batch);
  EXPECT_EQ(c.budget.epochs, preset_config("tutorial").budget.epochs);
}

TEST(TrainConfig, EmaForgetsTheStartAndWidensWithTheRun) {
  EXPECT_EQ(ema_decay(6.94, 1), 0);  // the first average is the first value
  // The weight of step k in the average at step n is proportional to k^exponent: check against the recursion.
  const int n = 50;
  std::vector<double> weight(n + 1, 0);
  for (int k = 1; k <= n; ++k) {
    const double decay = ema_decay(6.94, k);
    for (double& w : weight) w *= decay;
    weight[std::size_t(k)] += 1 - decay;
  }
  double mean = 0, total = 0;
  for (int k = 1; k <= n; ++k) {
    mean += weight[std::size_t(k)] * k;
    total += weight[std::size_t(k)];
  }
  EXPECT_NEAR(total, 1, 1e-12);
  EXPECT_NEAR(mean / n, (6.94 + 1) / (6.94 + 2), 0.02);  // of the power function t^6.94 on [0, 1]
}

}  // namespace
}  // namespace diffusion
