#include "train/run_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "files/fs.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using Numbers = std::vector<double>;

StepReport report_of(std::int64_t step) {
  return {step, 0.5, 1.0 / double(step), 0.7, 1e-3 * double(step), 0.25, 100, 0.1 * double(step), {}};
}

StepReport measured_at(std::int64_t step) {
  StepReport report = report_of(step);
  report.held_out = HeldOutLoss{0.1 + 1 / double(step), {0.01, 0.5, 1e9}, {0.3, 0.2}};
  return report;
}

void append_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

std::string line(std::int64_t step, const std::string& more = "") {
  const std::string n = std::to_string(step);
  return "{\"step\": " + n + ", \"loss\": " + n + ", \"learning_rate\": 0.5, \"seconds\": " + n + more +
         "}\n";
}

TEST(RunLog, ReadsWhatWasWritten) {
  const scratch::Folder folder;
  {
    RunLogWriter writer(folder.path(), 0, false);
    for (int step = 1; step <= 5; ++step) writer.append(step == 4 ? measured_at(step) : report_of(step));
  }
  const RunLog log = read_run_log(folder.path());
  EXPECT_EQ(log.step, (Numbers{1, 2, 3, 4, 5}));
  EXPECT_EQ(log.loss, (Numbers{1, 0.5, 1 / 3.0, 0.25, 0.2}));
  EXPECT_EQ(log.learning_rate[2], 1e-3 * 3);
  EXPECT_EQ(log.seconds[4], 0.1 * 5);
  ASSERT_EQ(log.held_out.size(), 1u);
  EXPECT_EQ(log.held_out[0].step, 4);
  EXPECT_EQ(log.held_out[0].measured.loss, 0.1 + 1 / 4.0);
  EXPECT_EQ(log.held_out[0].measured.sigma, (Numbers{0.01, 0.5, 1e9}));
  EXPECT_EQ(log.held_out[0].measured.by_sigma, (Numbers{0.3, 0.2}));
  EXPECT_EQ(folder.files(), std::vector<std::string>{"log.jsonl"}) << "no event file unless asked for";
}

TEST(RunLog, GoingBackRemovesLaterStepsAndTheirMeasurements) {
  const scratch::Folder folder;
  {
    RunLogWriter writer(folder.path(), 0, false);
    for (int step = 1; step <= 6; ++step) writer.append(measured_at(step));
  }
  append_text(folder / "log.jsonl", "{\"step\": 7, \"lo");
  {
    RunLogWriter writer(folder.path(), 3, false);
    writer.append(report_of(4));
  }
  const RunLog log = read_run_log(folder.path());
  EXPECT_EQ(log.step, (Numbers{1, 2, 3, 4}));
  ASSERT_EQ(log.held_out.size(), 3u);
  EXPECT_EQ(log.held_out.back().step, 3);
}

TEST(RunLog, OfStepsThatWereDoneAgainTheLaterCount) {
  const scratch::Folder folder;
  const std::string held_out = ", \"held_out\": {\"loss\": 9, \"sigma\": [1, 2], \"loss_by_sigma\": [9]}";
  append_text(folder / "log.jsonl", line(3) + line(4, held_out) + line(5, held_out));
  append_text(folder / "log.jsonl", "{\"step\": 4, \"loss\": 44, \"learning_rate\": 0, \"seconds\": 1}\n");
  const RunLog log = read_run_log(folder.path());
  EXPECT_EQ(log.step, (Numbers{3, 4}));
  EXPECT_EQ(log.loss, (Numbers{3, 44}));
  EXPECT_TRUE(log.held_out.empty());
}

TEST(RunLog, OfARunThatIsStillGoingHasItsWholeLines) {
  const scratch::Folder folder;
  append_text(folder / "log.jsonl", line(1) + line(2) + "{\"step\": 3, \"loss\": 3");
  EXPECT_EQ(read_run_log(folder.path()).step, (Numbers{1, 2}));
  write_file(folder / "log.jsonl", "");
  EXPECT_TRUE(read_run_log(folder.path()).step.empty());
}

TEST(RunLog, IsFoundFromACheckpoint) {
  const scratch::Folder folder;
  append_text(folder / "log.jsonl", line(1));
  fs::create_directories(folder / "checkpoints/step-000000001");
  fs::create_directory_symlink("checkpoints/step-000000001", folder / "latest");
  EXPECT_EQ(read_run_log(folder / "latest").step, (Numbers{1}));
  EXPECT_EQ(read_run_log(folder / "checkpoints/step-000000001").step, (Numbers{1}));
}

TEST(RunLog, WhatIsNoneIsRefusedByFileLineAndField) {
  const scratch::Folder folder;
  const auto message = [&] {
    return scratch::error_of(ErrorKind::bad_input, [&] { read_run_log(folder.path()); });
  };
  EXPECT_NE(message().find("holds no log.jsonl"), std::string::npos) << message();
  EXPECT_NE(scratch::error_of(ErrorKind::bad_input, [&] { read_run_log(folder / "absent"); })
                .find("does not exist"),
            std::string::npos);
  const auto expect_refused = [&](const std::string& last, const std::vector<std::string>& words) {
    write_file(folder / "log.jsonl", line(1) + last);
    for (const std::string& word : words) EXPECT_NE(message().find(word), std::string::npos) << message();
  };
  expect_refused("nonsense\n", {"log.jsonl, line 2"});
  expect_refused("\n", {"log.jsonl, line 2"});
  expect_refused("{\"step\": 2}\n", {"line 2", "loss", "missing"});
  expect_refused("{\"step\": \"2\"}\n", {"line 2", "step", "integer"});
  expect_refused("[]\n", {"line 2"});
  for (const char* held_out : {"3", "{}", "{\"loss\": 1, \"sigma\": [1], \"loss_by_sigma\": [1]}",
                               "{\"loss\": 1, \"sigma\": [1, 2, 3], \"loss_by_sigma\": [1]}",
                               "{\"loss\": 1, \"sigma\": [], \"loss_by_sigma\": []}",
                               "{\"loss\": 1, \"sigma\": [1, null], \"loss_by_sigma\": [1]}"})
    expect_refused(line(2, std::string(", \"held_out\": ") + held_out), {"line 2"});
}

TEST(RunLog, WritesAnEventFileForEachSession) {
  const scratch::Folder folder;
  { RunLogWriter(folder.path(), 0, true).append(measured_at(1)); }
  { RunLogWriter(folder.path(), 1, true).append(report_of(2)); }
  const std::vector<std::string> files = folder.files();
  ASSERT_EQ(files.size(), 3u);
  const std::string first = read_text_file(folder / files[0], 10'000);
  for (const char* tag :
       {"train/loss", "train/learning_rate", "train/gradient_norm", "train/images_per_second",
        "held_out/loss", "held_out/sigma_0.01_to_0.5", "held_out/sigma_0.5_to_1e+09"})
    EXPECT_NE(first.find(tag), std::string::npos) << tag;
  EXPECT_EQ(read_text_file(folder / files[1], 10'000).find("held_out"), std::string::npos);
}

}  // namespace
}  // namespace diffusion
