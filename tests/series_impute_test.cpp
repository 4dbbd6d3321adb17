// Gaps in series: what training hides of them, how a model fills them, and the commands.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "cli_program.h"
#include "data/batches.h"
#include "data/series_windows.h"
#include "diffusers/pipeline.h"
#include "diffusion/impute_paths.h"
#include "series/windows.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

const SeriesForm kImputeForm{
    .task = SeriesTask::impute, .season = 4, .horizon = 4, .rows = 4, .long_season = 4, .lags = 0};

Model model_of_gaps() {
  UNetConfig unet;
  unet.block_out_channels = {8, 8};
  unet.down_block_attention = unet.up_block_attention = {false, false};
  unet.layers_per_block = 1;
  unet.norm_num_groups = 4;
  unet.add_attention = false;
  const NetworkConfig network =
      fitted_to(unet, {kImputeForm.rows, kImputeForm.season}, 1, 0, kImputeForm.known_channels());
  Preconditioner cosine(Objective::v, make_schedule(ScheduleKind::cosine, 100));
  Model model{network, cosine, {}, {}, {}, ParamStore(layout_of(network))};
  model.series = kImputeForm;
  model.params.initialize(3);
  return model;
}

double wave(int series, int i) {
  return 100 * (series + 1) + 10 * std::sin(i * std::numbers::pi / 2) + i % 3;
}

SeriesTable waves_to_fill(int count, int length) {
  SeriesTable table{"waves", {}};
  for (int k = 0; k < count; ++k) {
    TimeSeries series{"w" + std::to_string(k), {}};
    for (int i = 0; i < length; ++i) series.values.push_back(wave(k, i));
    table.series.push_back(series);
  }
  return table;
}

TEST(GapWindows, HiddenValuesCountAndGapsDoNot) {
  std::vector<double> values;
  for (int i = 0; i < 16; ++i) values.push_back(i);
  values[3] = std::nan("");
  std::vector<bool> hidden(16, false);
  hidden[3] = hidden[5] = true;
  std::vector<float> x(16), known(32), counted(16);
  const auto scale = fold_gap_window(kImputeForm, {.values = values, .hidden = hidden}, x, known, counted);
  ASSERT_TRUE(scale);
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(known[16 + i], i == 3 || i == 5 ? 0 : 1) << i;
    EXPECT_EQ(known[i], i == 3 || i == 5 ? 0 : x[i]) << i;
    EXPECT_EQ(counted[i], i == 5 ? 1 : 0) << i;
    EXPECT_NEAR(scale->to_value(x[i]), i == 3 ? scale->mean : double(i), 1e-5) << i;
  }
  EXPECT_FALSE(fold_gap_window(kImputeForm, {.values = values, .hidden = std::vector<bool>(16, true)}, x,
                               known, counted));
  values.pop_back();
  EXPECT_THROW(fold_gap_window(kImputeForm, {.values = values, .hidden = hidden}, x, known, counted), Error);
}

struct GapExample {
  std::vector<float> x = std::vector<float>(16), known = std::vector<float>(32),
                     counted = std::vector<float>(16);
};

GapExample gap_example(const BatchStream& stream, std::uint32_t step, std::uint32_t i) {
  GapExample e;
  stream.example(step, i, {e.x, e.known, e.counted});
  return e;
}

TEST(GapWindows, TrainingHidesByStepAndSeed) {
  const SeriesTable table = waves_to_fill(1, 20);  // one window
  const Dataset data = series_dataset(std::make_shared<const SeriesWindows>(table, kImputeForm, Split::train),
                                      table, kImputeForm);
  ASSERT_EQ(data.count(), 1);
  const BatchStream stream(data, 5, {.size = 1}), other(data, 6, {.size = 1});
  EXPECT_EQ(gap_example(stream, 7, 0).known, gap_example(stream, 7, 0).known);
  EXPECT_NE(gap_example(stream, 7, 0).known, gap_example(stream, 8, 0).known);
  EXPECT_NE(gap_example(stream, 7, 0).known, gap_example(other, 7, 0).known);
  const GapExample e = gap_example(stream, 7, 0);
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(e.counted[i] + e.known[16 + i], 1) << i;
}

TEST(GapWindows, TheLastHorizonIsHeldOutAndAloneCounts) {
  const SeriesTable table = waves_to_fill(2, 30);
  const SeriesWindows train(table, kImputeForm, Split::train), test(table, kImputeForm, Split::test);
  EXPECT_EQ(train.count(), 2 * 11);
  EXPECT_EQ(test.count(), 2);
  for (std::uint32_t step = 0; step < 20; ++step) {
    GapExample e;
    test.write(1, {1, Stream::hidden, 0, step}, {e.x, e.known, e.counted});
    for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(e.counted[i], 0) << i;
  }
  SeriesForm longer = kImputeForm;
  longer.horizon = 40;
  EXPECT_EQ(SeriesWindows(waves_to_fill(1, 100), longer, Split::test).count(), 2);
}

TEST(ImputePaths, AreTheSameInAnyCompany) {
  const Model model = model_of_gaps();
  const auto device = make_cpu_device(Precision::f32);
  SeriesTable all = waves_to_fill(2, 60);
  GapPlaces places{{2, 30, 31, 59}, {8}};
  for (std::size_t k = 0; k < 2; ++k)
    for (const std::int64_t place : places[k]) all.series[k].values[std::size_t(place)] = std::nan("");
  const PathOptions options{.paths = 5, .seed = 3, .batch = 16};
  const auto paths = impute_paths(model, *device, all, places, options);
  ASSERT_EQ(paths[0].size(), 20u);
  PathOptions smaller = options;
  smaller.batch = 2;
  EXPECT_EQ(impute_paths(model, *device, all, places, smaller), paths);
  SeriesTable changed = all;
  changed.series[0] = waves_to_fill(1, 40).series[0];
  EXPECT_EQ(impute_paths(model, *device, changed, {{}, {8}}, options)[1], paths[1]);
  EXPECT_NE(paths[0][0], paths[0][4]) << "paths differ";
}

TEST(ImputePaths, RefuseWhatCannotBeFilled) {
  const Model model = model_of_gaps();
  const auto device = make_cpu_device(Precision::f32);
  SeriesTable table = waves_to_fill(1, 15);
  const auto filling_fails = [&](const SeriesTable& series, std::int64_t place) {
    EXPECT_THROW(impute_paths(model, *device, series, {{place}}, {.paths = 1}), Error);
  };
  filling_fails(table, 2);  // too short
  table = waves_to_fill(1, 60);
  for (std::size_t i = 20; i < 50; ++i) table.series[0].values[i] = std::nan("");
  filling_fails(table, 30);  // the window knows nothing
  for (double& value : table.series[0].values) value = 7;
  table.series[0].values[3] = std::nan("");
  filling_fails(table, 3);  // constant
  Model forecaster = model_of_gaps();
  forecaster.series = SeriesForm{.season = 4, .horizon = 4, .rows = 4, .long_season = 4, .lags = 0};
  EXPECT_THROW(check_impute(forecaster, table, {{3}}), Error);
  EXPECT_THROW(check_forecast(model, table), Error);
}

TEST(ImputeModel, SurvivesItsDirectory) {
  const scratch::Folder folder;
  const Model model = model_of_gaps();
  write_pipeline(folder.path(), model, model.params.values());
  EXPECT_EQ(read_pipeline(folder.path()).series, model.series);
}

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
