// The command "plot", and what "train" records for it, through the real binary.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "files/fs.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

class CliPlot : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    train_ = run({"train", "--data", "shapes", "--preset", "tiny", "--batch", "4", "--steps", "12",
                  "--threads", "1", "--held-out-every", "3", "--preview-every", "0", "--tensorboard", "--out",
                  file("run"), "--json"});
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::string file(std::string_view name) { return (*folder_ / name).string(); }
  static std::string text(const std::string& name) { return read_text_file(file(name), 1 << 20); }
  static void write_log(const std::string& run, const std::string& text) {
    fs::create_directories(file(run));
    write_file(file(run + "/log.jsonl"), text);
  }

  static inline std::unique_ptr<scratch::Folder> folder_;
  static inline Outcome train_;
};

constexpr const char* kLine = "{\"step\": 1, \"loss\": 1, \"learning_rate\": 0.1, \"seconds\": 1}\n";

TEST_F(CliPlot, TrainTellsHeldOutLossAndOutlook) {
  const Json json = json_of(train_);
  EXPECT_GT(to_double(member(json, "held_out_loss", "json"), "held_out_loss"), 0);
  EXPECT_NE(to_string(member(json, "outlook", "json"), "outlook"), "unknown");
  EXPECT_NE(text("run/log.jsonl").find("\"held_out\""), std::string::npos);
  int event_files = 0;
  for (const auto& entry : fs::directory_iterator(file("run")))
    event_files += entry.path().filename().string().starts_with("events.out.tfevents.");
  EXPECT_EQ(event_files, 1);
  const Outcome again =
      run({"train", "--data", "shapes", "--preset", "tiny", "--batch", "4", "--steps", "12",
           "--held-out-every", "3", "--preview-every", "0", "--out", file("run"), "--threads", "1"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_NE(again.out.find("More steps"), std::string::npos) << again.out;
}

TEST_F(CliPlot, WritesSvgAndPng) {
  const Outcome svg = run({"plot", file("run"), "-o", file("loss.svg")});
  EXPECT_EQ(svg.code, 0) << svg.err;
  EXPECT_NE(svg.out.find("12 steps"), std::string::npos) << svg.out;
  EXPECT_NE(svg.out.find("held out"), std::string::npos) << svg.out;
  EXPECT_NE(text("loss.svg").find("<svg"), std::string::npos);
  EXPECT_EQ(run({"plot", file("run/latest"), "-o", file("loss.png")}).code, 0);
  EXPECT_EQ(read_image(file("loss.png")).width, 3 * 440);
}

TEST_F(CliPlot, ComparesRunsAndTellsOfEachInJson) {
  write_log("other", std::string(kLine) + "{\"step\": 2, \"lo");  // still going
  const Json json = json_of(run({"plot", file("run"), file("other"), "-o", file("both.svg"), "--json"}));
  const Json::Array& runs = to_array(member(json, "runs", "json"), "runs");
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(member(runs[0], "step", "run"), Json(12));
  EXPECT_EQ(member(runs[1], "step", "run"), Json(1));
  EXPECT_EQ(member(runs[1], "outlook", "run"), Json("unknown"));
  EXPECT_TRUE(member(runs[1], "held_out_loss", "run").is_null());
  EXPECT_TRUE(fs::exists(file("both.svg")));
  EXPECT_EQ(json_of(run({"plot", file("run"), "--json"})).find("output")->is_null(), true);
}

TEST_F(CliPlot, RefusesWhatItCannotPlot) {
  fs::create_directories(file("nothing"));
  write_log("empty", "");
  write_log("broken", std::string(kLine) + "nonsense\n");
  expect_error(3, {"plot", file("absent"), "-o", file("x.svg")}, {"absent", "does not exist"});
  expect_error(3, {"plot", file("nothing"), "-o", file("x.svg")}, {"holds no log.jsonl"});
  expect_error(3, {"plot", file("empty"), "-o", file("x.svg")}, {"empty", "not finished a step"});
  expect_error(3, {"plot", file("broken"), "-o", file("x.svg")}, {"log.jsonl, line 2"});
  expect_error(2, {"plot", "/no/such/run", "-o", file("x.pdf")}, {"x.pdf", ".svg and .png"});
  expect_error(4, {"plot", "/no/such/run", "-o", file("none/x.svg")}, {"none/x.svg", "no directory"});
  expect_error(2, {"plot", file("run")}, {"no terminal", "-o FILE.svg"});
  expect_error(2, {"plot"}, {"RUN"});
  Arguments many{"plot", "-o", file("x.svg")};
  many.insert(many.end(), 8, file("run"));
  expect_error(2, many, {"8 runs", "1 to 7"});
  EXPECT_FALSE(fs::exists(file("x.svg")));
}

TEST_F(CliPlot, TrainWithoutTestImagesSaysSoOnce) {
  fs::create_directories(file("images"));
  for (int k = 0; k < 4; ++k)
    write_png(file("images/" + std::to_string(k) + ".png"),
              Image{16, 16, 1, std::vector<std::uint8_t>(256, std::uint8_t(60 * k))});
  const Arguments common{
      "train",     "--data", file("images"),    "--preset", "tiny", "--batch", "2", "--steps", "2",
      "--threads", "1",      "--preview-every", "0"};
  Arguments plain = common, asked = common;
  plain.insert(plain.end(), {"--out", file("plain")});
  asked.insert(asked.end(), {"--out", file("asked"), "--held-out-every", "1"});
  ::setenv("DIFFUSION_CACHE_DIR", file("cache").c_str(), 1);
  const Outcome outcome = run(plain);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("no held-out loss: "), std::string::npos) << outcome.err;
  expect_error(2, asked, {"--held-out-every", "no test images"});
  expect_error(2, {"train", "--data", "shapes", "--out", file("y"), "--held-out-every", "-1"},
               {"--held-out-every"});
  ::unsetenv("DIFFUSION_CACHE_DIR");
}

}  // namespace
}  // namespace diffusion
