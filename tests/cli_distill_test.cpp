// `diffusion distill` through the real binary, and what `diffusion sample` makes of its result.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli_program.h"
#include "files/fs.h"
#include "formats/npy.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

class CliDistill : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    const Outcome outcome =
        run({"train", "--data", "shapes", "--shards", "500", "--size", "8", "--preset", "tiny", "--batch",
             "8", "--steps", "5", "--out", file("teacher"), "--preview-every", "0", "--quiet"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string file(const std::string& name) { return (folder_->path() / name).string(); }

  // Small and quick; `more` overrides.
  static Arguments distill(const std::string& model, const std::string& out, const Arguments& more = {}) {
    Arguments all{"distill", model,   "--shards", "500",    "--batch",
                  "8",       "--out", file(out),  "--json", "--quiet"};
    const bool has_data = std::ranges::find(more, "--data") != more.end();
    if (!has_data) all.insert(all.end(), {"--data", "shapes", "--size", "8"});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  static Json sample(const std::string& model, const Arguments& more = {}) {
    Arguments all{"sample", model,           "-n",     "3",      "-o", file("x.npy"),
                  "--raw",  file("raw.npy"), "--json", "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return json_of(run(all));
  }

  static inline std::unique_ptr<scratch::Folder> folder_;
};

TEST_F(CliDistill, TunesResumesAndSamplesInFewSteps) {
  const Json first = json_of(run(distill(file("teacher"), "run", {"--steps", "4", "--preview-every", "2"})));
  EXPECT_EQ(member(first, "complete", "json"), Json(true));
  EXPECT_TRUE(fs::exists(file("run") + "/previews/step-000000004.png"));
  EXPECT_TRUE(fs::exists(file("run") + "/log.jsonl"));
  const Outcome more = run(distill(file("teacher"), "run", {"--steps", "6"}));
  EXPECT_EQ(member(json_of(more), "step", "json"), Json(6));
  EXPECT_NE(more.err.find("resuming"), std::string::npos) << more.err;

  const Json usual = sample(file("run"));
  EXPECT_EQ(member(usual, "sampler", "json"), Json("consistency"));
  EXPECT_EQ(member(usual, "steps", "json"), Json(4));
  const std::vector<float> values = read_npy_float32(file("raw.npy")).data;
  sample(file("run"), {"--sampler", "consistency", "--spacing", "angle", "--batch", "1"});
  EXPECT_EQ(read_npy_float32(file("raw.npy")).data, values);
  sample(file("run"), {"--steps", "1"});
  EXPECT_NE(read_npy_float32(file("raw.npy")).data, values);
  EXPECT_EQ(member(sample(file("run"), {"--sampler", "heun", "--steps", "3"}), "sampler", "json"),
            Json("heun"));
  EXPECT_EQ(member(sample(file("teacher"), {"--steps", "3"}), "sampler", "json"), Json("dpmpp_3m_sde"));

  EXPECT_EQ(run({"convert", file("run"), file("converted"), "--dtype", "bf16"}).code, 0);
  EXPECT_EQ(member(sample(file("converted")), "sampler", "json"), Json("consistency"));
}

TEST_F(CliDistill, HelpNamesWhatItNeeds) {
  const std::string help = run({"distill", "--help"}).out;
  for (const char* word : {"MODEL", "--data", "--out", "--minutes", "--stages", "--lr", "--batch", "Example"})
    EXPECT_NE(help.find(word), std::string::npos) << word;
}

TEST_F(CliDistill, WhatDoesNotFitIsRefused) {
  const std::string teacher = file("teacher");
  const auto refuses = [&](int code, const Arguments& arguments, const std::vector<std::string>& words) {
    expect_error(code, arguments, words);
    EXPECT_FALSE(fs::exists(file("refused")));
  };
  refuses(3, distill(file("no such model"), "refused", {"--steps", "1"}),
          {"no such model", "does not exist"});
  refuses(2, distill(teacher, "refused", {"--data", "shapes", "--steps", "1"}), {"8x8x1", "28x28x1"});
  refuses(2,
          distill(teacher, "refused", {"--data", "shapes", "--size", "8", "--channels", "3", "--steps", "1"}),
          {"8x8x1", "8x8x3"});
  refuses(2, distill(teacher, "refused", {"--stages", "0", "--steps", "1"}),
          {"stages is 0", "1 to 20", "--stages"});
  refuses(2, distill(teacher, "refused", {"--steps", "1", "--epochs", "1"}), {"exactly one of"});
  refuses(2, distill(teacher, "refused", {"--objective", "v"}), {"--objective"});

  // Another number of stages is another run.
  EXPECT_EQ(run(distill(teacher, "four", {"--steps", "2"})).code, 0);
  expect_error(2, distill(teacher, "four", {"--steps", "2", "--stages", "2"}), {"stages", "2 here"});
  expect_error(2, distill(teacher, "teacher", {"--steps", "2"}), {"other settings"});
}

TEST_F(CliDistill, AnUnknownSamplerInTheFilesIsRefused) {
  EXPECT_EQ(run(distill(file("teacher"), "broken", {"--steps", "1"})).code, 0);
  const std::string path = file("broken") + "/latest/diffusion.json";
  std::string text = read_text_file(path, 1 << 20);
  text.replace(text.find("consistency"), 11, "magic");
  write_file(path, text);
  expect_error(3, {"sample", file("broken"), "-o", file("x.png")}, {"sampler", "magic", "consistency"});
}

}  // namespace
}  // namespace diffusion
