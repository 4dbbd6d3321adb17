// Every objective through the real binary: train, resume, sample, and what it refuses.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cli_program.h"
#include "files/fs.h"
#include "formats/npy.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

// Small and quick; no pictures on the way.
Arguments train(const std::string& objective, const std::string& steps, const std::string& out) {
  return {"train", "--data",          "shapes", "--shards",    "500",     "--size",  "8",   "--preset",
          "tiny",  "--batch",         "8",      "--objective", objective, "--steps", steps, "--out",
          out,     "--preview-every", "0",      "--json",      "--quiet"};
}

class CliObjectives : public ::testing::TestWithParam<std::string> {
 protected:
  scratch::Folder folder_;
  std::string run_directory() const { return (folder_ / "run").string(); }

  std::vector<float> sample(const Arguments& more) {
    const std::string raw = (folder_ / "raw.npy").string();
    Arguments all{"sample", run_directory(), "-n", "2", "-o", (folder_ / "x.npy").string(), "--raw",
                  raw,      "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run(all);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return read_npy_float32(raw).data;
  }
};

TEST_P(CliObjectives, TrainResumeAndSample) {
  EXPECT_EQ(member(json_of(run(train(GetParam(), "5", run_directory()))), "step", "json"), Json(5));
  const Outcome resumed = run(train(GetParam(), "8", run_directory()));
  EXPECT_EQ(member(json_of(resumed), "step", "json"), Json(8));
  EXPECT_NE(resumed.err.find("after step 5"), std::string::npos) << resumed.err;

  const std::vector<float> usual = sample({"--steps", "6"});
  ASSERT_EQ(usual.size(), 2u * 8 * 8);
  const std::string objective = GetParam();
  const bool discrete = objective != "edm" && objective != "flow";
  for (const char* sampler : {"ddpm", "heun", "dpmpp_3m_sde", "unipc", "flow_heun"}) {
    const std::vector<float> values = sample({"--sampler", sampler, "--steps", "6"});
    EXPECT_EQ(values == usual, discrete && std::string_view(sampler) == "dpmpp_3m_sde") << sampler;
    EXPECT_TRUE(std::ranges::all_of(values, [](float value) { return std::abs(value) < 50; })) << sampler;
  }
  EXPECT_NE(sample({"--steps", "6", "--guidance", "3"}), usual);
  EXPECT_EQ(sample({"--steps", "6", "--batch", "1"}), usual);
  EXPECT_EQ(member(json_of(run({"info", run_directory(), "--json"})), "objective", "json"), Json(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(All, CliObjectives, ::testing::Values("epsilon", "v", "x0", "edm", "flow"),
                         [](const auto& test) { return test.param; });

TEST(CliObjective, WhatDoesNotFitTheObjectiveIsRefused) {
  const scratch::Folder folder;
  const std::string out = (folder / "run").string();
  const auto refuses = [&](const std::string& objective, const Arguments& more,
                           const std::vector<std::string>& words) {
    Arguments all = train(objective, "1", out);
    all.insert(all.end(), more.begin(), more.end());
    expect_error(2, all, words);
    EXPECT_FALSE(fs::exists(out));
  };
  refuses("velocity", {}, {"velocity", "epsilon, v, x0, edm, flow"});
  refuses("flow", {"--schedule", "cosine"}, {"--schedule", "flow"});
  refuses("edm", {"--beta-end", "0.1"}, {"--beta-end", "edm"});
  refuses("flow", {"--timesteps", "2"}, {"2", "3 to 1000000"});
  refuses("flow", {"--weight", "min-snr"}, {"min-snr", "min_snr"});
}

TEST(CliObjective, AFlowIsWrittenForDiffusersAndRefusesSpacingsOfTimesteps) {
  const scratch::Folder folder;
  const std::string model = (folder / "flow").string();
  cli::write_model(model, cli::tiny_model({.preconditioner = Preconditioner(RectifiedFlow{})}));
  const Json scheduler = parse_json(
      read_text_file(fs::path(model) / "scheduler/scheduler_config.json", 1 << 20), "scheduler_config.json");
  EXPECT_EQ(member(scheduler, "_class_name", "json"), Json("FlowMatchEulerDiscreteScheduler"));
  const Arguments sample{"sample", model, "-n", "1", "-o", (folder / "x.png").string(), "--spacing"};
  for (const char* spacing : {"leading", "ays"}) {
    Arguments all = sample;
    all.push_back(spacing);
    expect_error(2, all, {spacing, "flow", "linspace"});
  }
}

}  // namespace
}  // namespace diffusion
