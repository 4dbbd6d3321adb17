// The commands about gaps in series: train --task impute, impute, and eval of what is filled.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "cli_program.h"
#include "support/scratch.h"
#include "support/small_series.h"

namespace diffusion {
namespace {

using fixtures::wave;

class CliImpute : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name)) << text;
    return file(name);
  }
  static std::string text_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Two series, with the cells of some lines replaced.
  std::string wide(int length, const std::vector<std::pair<int, std::string>>& lines = {}) const {
    std::string csv = "time,a,\"b, c\"\r\n";
    for (int i = 0; i < length; ++i) {
      std::string line =
          std::to_string(i) + "," + std::to_string(wave(0, i)) + ", " + std::to_string(wave(1, i));
      for (const auto& [at, text] : lines)
        if (at == i) line = text;
      csv += line + "\r\n";
    }
    return csv;
  }
  cli::Arguments train(const std::string& out, const std::string& series, const std::string& steps,
                       const std::string& task = "impute") const {
    return {"train",    "--series", series,      "--task",  task,       "--horizon", "4",
            "--season", "4",        "--context", "12",      "--preset", "tiny",      "--steps",
            steps,      "--batch",  "4",         "--quiet", "--out",    file(out),   "--json"};
  }
  cli::Arguments impute(const std::string& series) const {
    return {"impute", file("run"), "--series", series, "--paths", "3", "--quiet", "-o", file("out.csv")};
  }
  void trained(const std::string& task = "impute") const {
    ASSERT_EQ(cli::run(train("run", write("whole.csv", wide(40)), "1", task)).code, 0);
  }

  scratch::Folder folder_;
};

TEST_F(CliImpute, TrainingResumesToTheBit) {
  cli::Arguments command = train("run", write("whole.csv", wide(40)), "4");
  command.insert(command.end(), {"--save-every", "2"});
  ASSERT_EQ(cli::run(command).code, 0);
  const std::string weights = file("run/latest/unet/diffusion_pytorch_model.safetensors"),
                    whole = text_of(weights);
  std::filesystem::remove_all(file("run/checkpoints/step-000000004"));
  const cli::Outcome resumed = cli::run(command);
  EXPECT_NE(resumed.err.find("after step 2"), std::string::npos) << resumed.err;
  EXPECT_TRUE(text_of(weights) == whole);
  EXPECT_NE(text_of(file("run/latest/diffusion.json")).find("\"task\": \"impute\""), std::string::npos);
  EXPECT_NE(cli::run({"info", file("run")}).out.find("fills gaps"), std::string::npos);
}

TEST_F(CliImpute, TrainingStopsOnHeldOutTime) {
  cli::Arguments command = train("run", write("whole.csv", wide(40)), "400");
  // A rate at which nothing gets better for long.
  command.insert(command.end(), {"--lr", "1", "--held-out-every", "1", "--patience", "3"});
  const cli::Outcome outcome = cli::run(command);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json report = cli::json_of(outcome);
  const double steps = to_double(member(report, "step", "json"), "step"),
               best = to_double(member(member(report, "best", "json"), "step", "best"), "step");
  EXPECT_LT(steps, 400);
  EXPECT_EQ(steps, best + 3);
  EXPECT_EQ(read_pipeline(file("run/best")).series->task, SeriesTask::impute);
  const Json again = cli::json_of(cli::run(command));
  EXPECT_EQ(member(again, "step", "json"), member(report, "step", "json")) << "it is over";
  EXPECT_EQ(member(again, "best", "json"), member(report, "best", "json"));
  command = train("none", file("whole.csv"), "4");
  command.insert(command.end(), {"--held-out-every", "0", "--patience", "3"});
  cli::expect_error(2, command, {"--patience needs a held-out loss"});
}

TEST_F(CliImpute, KnownCellsStayToTheByte) {
  trained();
  // Spaces, a quoted gap, a plus exponent and no digits after the point; time 21 is left out.
  const std::string gaps = wide(40, {{5, "5,NaN, 2.0e2"}, {6, "6,101.,\"\""}, {7, "7, ,na"}});
  std::string holes = gaps;
  const std::size_t line = holes.find("\r\n21,");
  holes.erase(line, holes.find("\r\n22,") - line);
  const cli::Outcome outcome = [&] {
    cli::Arguments command = impute(write("gaps.csv", holes));
    command.insert(command.end(), {"--json", "--quantiles", file("q.csv"), "--save-paths", file("p.csv"),
                                   "--plot", file("plot.svg")});
    return cli::run(command);
  }();
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json report = cli::json_of(outcome);
  EXPECT_EQ(member(report, "filled", "json"), Json(4));
  EXPECT_EQ(member(report, "times_left_out", "json"), Json(2));
  // The same bytes but for the four cells.
  const std::string filled = text_of(file("out.csv"));
  const auto around = [](const std::string& text, const std::string& from, const std::string& to) {
    const std::size_t begin = text.find(from) + from.size();
    return text.substr(begin, text.find(to, begin) - begin);
  };
  const std::string first = around(filled, "\r\n5,", ", 2.0e2"), second = around(filled, "\r\n6,101.,", "\r"),
                    third = around(filled, "\r\n7,", "\r");
  std::string expected = holes;
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"NaN", first}, {"\"\"", second}, {" ,na", third}})
    expected.replace(expected.find(from), from.size(), to);
  EXPECT_EQ(filled, expected);
  EXPECT_NEAR(std::stod(first), 105, 60);
  EXPECT_EQ(filled.find("NaN"), std::string::npos);
  const std::string quantiles = text_of(file("q.csv")), paths = text_of(file("p.csv"));
  EXPECT_EQ(std::count(quantiles.begin(), quantiles.end(), '\n'), 1 + 4);
  EXPECT_NE(quantiles.find("\na,5,"), std::string::npos);
  EXPECT_NE(quantiles.find("\n\"b, c\",7,"), std::string::npos);
  EXPECT_EQ(std::count(paths.begin(), paths.end(), '\n'), 1 + 3 * 4);
  EXPECT_TRUE(std::filesystem::exists(file("plot.svg")));
}

TEST_F(CliImpute, LongFilesKeepTheirOrder) {
  trained();
  std::string csv = "value,id,ds\n";
  for (int i = 0; i < 20; ++i) {
    csv += (i == 9 ? "" : std::to_string(wave(0, i))) + ",a," + std::to_string(i) + "\n";
    csv += (i == 4 ? "NA" : std::to_string(wave(1, i))) + ",b," + std::to_string(i) + "\n";
  }
  ASSERT_EQ(cli::run(impute(write("long.csv", csv))).code, 0);
  const std::string filled = text_of(file("out.csv"));
  EXPECT_EQ(filled.find("NA,b"), std::string::npos);
  EXPECT_EQ(filled.find("\n,a"), std::string::npos);
  EXPECT_EQ(std::count(filled.begin(), filled.end(), '\n'), 41);
  EXPECT_EQ(filled.substr(0, 20), csv.substr(0, 20));
  // The same, with the other series filled already.
  std::string other = csv;
  other.replace(other.find("NA,b"), 2, "200");
  ASSERT_EQ(cli::run(impute(write("other.csv", other))).code, 0);
  const std::string alone = text_of(file("out.csv"));
  EXPECT_EQ(alone.substr(0, alone.find(",a,9")).substr(alone.rfind('\n', alone.find(",a,9"))),
            filled.substr(0, filled.find(",a,9")).substr(filled.rfind('\n', filled.find(",a,9"))));
}

TEST_F(CliImpute, WhatCannotBeFilledIsNamed) {
  trained();
  const auto fails = [&](int code, const std::string& csv, const std::vector<std::string>& words) {
    cli::expect_error(code, impute(write("gaps.csv", csv)), words);
    EXPECT_FALSE(std::filesystem::exists(file("out.csv")));
  };
  fails(2, wide(40), {"nothing is to be filled"});
  fails(2, wide(10, {{5, "5,,1"}}), {"series a", "has 10 values", "needs 16"});
  fails(3, "a,b\n1,\n2,NaN\n", {"series b has no value"});
  fails(3, "a,b\n1,x\n", {"line 2", "column 2 (b)"});
  std::string constant = "a,b\n";
  for (int i = 0; i < 30; ++i) constant += (i == 3 ? "" : "5") + std::string(",") + std::to_string(i) + "\n";
  fails(2, constant, {"series a", "the same wherever"});
  std::string late = "a,b\n";
  for (int i = 0; i < 60; ++i)
    late += (i < 50 ? "" : std::to_string(i)) + std::string(",") + std::to_string(i) + "\n";
  fails(2, late, {"series a", "none of the values 1 to 16"});
  cli::expect_error(2, {"impute", file("run"), "--series", "nowhere.csv", "-o", file("out.csv")},
                    {"nowhere.csv"});
  cli::expect_error(2, {"forecast", file("run"), "--series", file("whole.csv"), "-o", file("out.csv")},
                    {"fills gaps"});
  cli::expect_error(2, {"eval", file("run"), "--series", file("whole.csv"), "--spread", "2"}, {"--spread"});
}

TEST_F(CliImpute, AModelThatForecastsFillsNoGaps) {
  trained("forecast");
  cli::expect_error(2, impute(write("gaps.csv", wide(40, {{5, "5,,1"}}))),
                    {"forecasts series", "--task impute"});
}

TEST_F(CliImpute, EvalHidesAndComparesWithTrivialMethods) {
  cli::Arguments command = train("run", write("whole.csv", wide(40)), "1");
  *std::next(std::ranges::find(command, "--horizon")) = "16";
  ASSERT_EQ(cli::run(command).code, 0);
  const Json report = cli::json_of(cli::run({"eval", file("run"), "--series", file("whole.csv"), "--paths",
                                             "2", "--steps", "2", "--quiet", "--json"}));
  const Json::Array& tasks = to_array(member(report, "tasks", "json"), "tasks");
  ASSERT_EQ(tasks.size(), 6u);
  for (const std::size_t k : {1u, 2u, 4u})  // of 16 values 10% may be none, and 90% in blocks all
    EXPECT_EQ(to_array(member(tasks[k], "rows", "task"), "rows").size(), 4u) << k;
  const cli::Outcome text = cli::run(
      {"eval", file("run"), "--series", file("whole.csv"), "--paths", "2", "--steps", "2", "--quiet"});
  EXPECT_NE(text.out.find("90% hidden, blocks"), std::string::npos) << text.out;
}

}  // namespace
}  // namespace diffusion
