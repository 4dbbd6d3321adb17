// Models of series: what the network sees of them, forecasts, and the commands.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "base/rng.h"
#include "cli_program.h"
#include "diffusers/pipeline.h"
#include "diffusion/forecast_paths.h"
#include "diffusion/loss.h"
#include "diffusion/network_evaluator.h"
#include "eval/forecast_evaluation.h"
#include "support/scratch.h"
#include "support/small_series.h"

namespace diffusion {
namespace {

using fixtures::small_series_model, fixtures::waves;

const SeriesForm kForm{.season = 4, .horizon = 4, .rows = 4, .long_season = 4, .lags = 1};

TEST(MaskedLoss, CountsWhatCounts) {
  const std::vector<float> prediction{1, 2, 3, 4}, target{0, 0, 0, 0}, counted{1, 0, 0, 1};
  const std::vector<double> weight{1, 2};
  std::vector<float> grad(4, 9);
  EXPECT_DOUBLE_EQ(loss_and_grad(LossKind::mse, prediction, target, weight, grad, counted),
                   (1 + 2 * 16) / 2.0);
  EXPECT_EQ(grad, (std::vector<float>{1, 0, 0, 8}));
  const std::vector<float> nothing(4, 0);
  EXPECT_EQ(loss_and_grad(LossKind::mse, prediction, target, weight, grad, nothing), 0);
  EXPECT_EQ(grad, nothing);
  EXPECT_THROW(loss_and_grad(LossKind::mse, prediction, target, weight, grad, std::vector<float>{1}), Error);
}

TEST(KnownCondition, HidesWhatIsKnownAndSaysIt) {
  const Model model = small_series_model(kForm);
  const auto device = make_cpu_device(Precision::f32);
  NetworkEvaluator evaluator(model, *device, 2, kForm.rows, kForm.season);
  ASSERT_EQ(evaluator.input_size(), 16u);
  Conditions conditions;
  std::vector<float>& known = conditions["known"];
  known.assign(2 * 3 * 16, 0);
  known[5] = 0.25f;  // of the first sample
  known[16 + 5] = 1;
  std::vector<double> state(32);
  fill_normal({1, Stream::init, 2, 0}, state);
  const std::vector<SampleLevel> levels{{1.5}, {1.5}};
  std::vector<double> first(32), second(32);
  evaluator.denoise(state, levels, conditions, first);
  EXPECT_EQ(first[5], 0.25);
  state[5] += 10;  // nobody looks there
  evaluator.denoise(state, levels, conditions, second);
  EXPECT_EQ(first, second);
  state[6] += 10;
  evaluator.denoise(state, levels, conditions, second);
  EXPECT_NE(first, second);
  conditions["known"].pop_back();
  EXPECT_THROW(evaluator.denoise(state, levels, conditions, second), Error);
}

TEST(SeriesModel, SurvivesItsDirectory) {
  const scratch::Folder folder;
  const Model model = small_series_model(kForm);
  write_pipeline(folder.path(), model, model.params.values());
  const Model back = read_pipeline(folder.path());
  EXPECT_EQ(back.series, model.series);
  EXPECT_EQ(back.traits().in_channels, 1);
  EXPECT_EQ(back.traits().known_channels(), 3);
}

TEST(ForecastPaths, AreTheSameInAnyCompany) {
  const Model model = small_series_model(kForm);
  const auto device = make_cpu_device(Precision::f32);
  const SeriesTable all = waves(2, 16);
  SeriesTable first = all;
  first.series.pop_back();
  const PathOptions options{.paths = 5, .seed = 3, .batch = 5};
  PathOptions smaller = options;
  smaller.batch = 2;
  const auto paths = forecast_paths(model, *device, all, options);
  ASSERT_EQ(paths[0].size(), 20u);
  EXPECT_EQ(forecast_paths(model, *device, first, options)[0], paths[0]);
  EXPECT_EQ(forecast_paths(model, *device, all, smaller), paths);
  EXPECT_NE(paths[0][0], paths[0][4]);
}

TEST(ForecastPaths, RefuseWhatTheModelCannotForecast) {
  const Model model = small_series_model(kForm);
  const auto device = make_cpu_device(Precision::f32);
  EXPECT_THROW(forecast_paths(model, *device, waves(1, 11), {.paths = 1}), Error);
  SeriesTable unknown = waves(1, 30);
  for (std::size_t i = 10; i < 30; ++i) unknown.series[0].values[i] = std::nan("");
  EXPECT_THROW(forecast_paths(model, *device, unknown, {.paths = 1}), Error);
}

TEST(CalibratedSpread, FindsTheSpreadThatWasTakenAway) {
  // Steps of a random walk are N(0, 1); forecasts say half of that.
  SeriesTable history{"walks", {}}, future{"walks", {}};
  std::vector<QuantileForecast> forecasts;
  for (std::uint32_t k = 0; k < 400; ++k) {
    std::vector<double> values(22);
    fill_normal({1, Stream::init, k, 0}, values);
    history.series.push_back({std::to_string(k), {values.begin(), values.begin() + 20}});
    future.series.push_back({std::to_string(k), {values.begin() + 20, values.end()}});
    QuantileForecast forecast(2);
    for (int percent = 1; percent <= 99; ++percent)
      for (int h = 0; h < 2; ++h) forecast.set(percent, h, 0.5 * normal_quantile(percent / 100.0));
    forecasts.push_back(forecast);
  }
  const ForecastTask task{history, future, 2, 4, 8};
  const double spread = calibrated_spread(task, forecasts);
  EXPECT_NEAR(spread, 2, 0.25);
  const auto rows = evaluate_forecasts(task, {{"half", forecasts}});
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[1].name, "seasonal naive");
  EXPECT_NEAR(rows[0].scores.coverage80, 0.48, 0.05);
  EXPECT_LT(rows[0].wql.low, rows[0].scores.wql);
  EXPECT_GT(rows[0].wql.high, rows[0].scores.wql);
}

class CliSeries : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string write(const std::string& name, const SeriesTable& table) const {
    std::ofstream out(file(name));
    for (std::size_t k = 0; k < table.series.size(); ++k) out << (k ? "," : "") << table.series[k].id;
    for (std::size_t i = 0; i < table.series[0].values.size(); ++i) {
      out << '\n';
      for (std::size_t k = 0; k < table.series.size(); ++k)
        out << (k ? "," : "") << table.series[k].values[i];
    }
    out << '\n';
    return file(name);
  }
  static std::string text_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  cli::Arguments train(const std::string& out, const std::string& series, const std::string& steps) const {
    return {"train",     "--series", series,     "--horizon", "4",       "--season", "4",
            "--context", "12",       "--preset", "tiny",      "--steps", steps,      "--batch",
            "4",         "--quiet",  "--out",    file(out),   "--json"};
  }

  scratch::Folder folder_;
};

TEST_F(CliSeries, TrainResumeForecastAndEvaluate) {
  const std::string series = write("waves.csv", waves(3, 60));
  cli::Arguments command = train("run", series, "4");
  command.insert(command.end(), {"--save-every", "2"});
  ASSERT_EQ(cli::run(command).code, 0);
  const std::string weights = file("run/latest/unet/diffusion_pytorch_model.safetensors"),
                    whole = text_of(weights);
  std::filesystem::remove_all(file("run/checkpoints/step-000000004"));
  const cli::Outcome resumed = cli::run(command);
  EXPECT_NE(resumed.err.find("after step 2"), std::string::npos) << resumed.err;
  EXPECT_TRUE(text_of(weights) == whole);

  const cli::Outcome forecast =
      cli::run({"forecast", file("run"), "--series", series, "--paths", "3", "--quiet", "-o", file("out.csv"),
                "--save-paths", file("paths.csv"), "--plot", file("plot.svg")});
  EXPECT_EQ(forecast.code, 0) << forecast.err;
  const std::string csv = text_of(file("out.csv"));
  EXPECT_EQ(csv.substr(0, csv.find('\n')), "id,time,q05,q10,q20,q25,q30,q40,q50,q60,q70,q75,q80,q90,q95");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 3 * 4);
  const std::string paths = text_of(file("paths.csv"));
  EXPECT_EQ(std::count(paths.begin(), paths.end(), '\n'), 1 + 3 * 4 * 3);

  const Json report = cli::json_of(cli::run(
      {"eval", file("run"), "--series", series, "--paths", "3", "--spread", "1.5", "--quiet", "--json"}));
  const Json::Array& rows = to_array(member(report, "forecasts", "json"), "forecasts");
  ASSERT_EQ(rows.size(), 6u);  // the model, spread, and four baselines
  EXPECT_EQ(member(rows[0], "name", "row"), Json("model"));
  EXPECT_EQ(member(report, "spread", "json"), Json(1.5));
}

TEST_F(CliSeries, WhatCannotBeIsRefused) {
  const std::string series = write("waves.csv", waves(2, 60));
  cli::expect_error(2, {"train", "--series", series, "--out", file("r")}, {"--horizon"});
  cli::expect_error(2, {"train", "--series", series, "--horizon", "4", "--out", file("r")}, {"--season"});
  cli::expect_error(2, {"train", "--series", "nowhere", "--horizon", "4", "--out", file("r")}, {"m4-hourly"});
  cli::expect_error(2, {"train", "--horizon", "4", "--out", file("r")}, {"--horizon is for --series"});
  cli::expect_error(2, train("r", write("short.csv", waves(1, 19)), "1"),
                    {"no series of short is long enough"});
  std::ofstream(file("bad.csv")) << "a,b\n1,x\n";
  cli::expect_error(3, train("r", file("bad.csv"), "1"), {"line 2", "column 2 (b)", "\"x\""});
  ASSERT_EQ(cli::run(train("run", series, "1")).code, 0);
  cli::expect_error(
      2, {"forecast", file("run"), "--series", file("short.csv"), "--spread", "none", "-o", file("o.csv")},
      {"--spread is \"none\""});
  cli::expect_error(2, {"sample", file("run"), "-o", file("o.png")}, {"forecasts series"});
  cli::expect_error(2, {"eval", file("run"), "--series", series, "--horizon", "5"},
                    {"the model forecasts 4"});
  cli::expect_error(2, {"eval", file("run"), "--series", series, "--season", "5"}, {"of the model 4"});
  cli::expect_error(2, {"data", "m4-hourly"}, {"set of series"});
  cli::expect_error(4, {"forecast", file("run"), "--series", series, "-o", file("nowhere/o.csv")},
                    {"nowhere"});
}

TEST_F(CliSeries, NoOptionIsPassedOver) {
  const std::string series = write("waves.csv", waves(1, 60));
  const cli::Arguments eval{"eval", "--series", series, "--horizon", "4", "--season", "4"};
  for (const cli::Arguments& more : std::vector<cli::Arguments>{{"--sampler", "euler"},
                                                                {"--split", "train"},
                                                                {"-n", "10"},
                                                                {"--captions", "own"},
                                                                {"--batch", "3"}}) {
    cli::Arguments command = eval;
    command.insert(command.end(), more.begin(), more.end());
    cli::expect_error(2, command, {"is for images"});
  }
  cli::Arguments command = eval;
  command.insert(command.end(), {"--steps", "3"});
  cli::expect_error(2, command, {"--steps is for a MODEL"});
  command = train("r", series, "1");
  command.insert(command.end(), {"--text-encoder", "x"});
  cli::expect_error(2, command, {"--text-encoder is for images"});
  command = train("r", series, "1");
  command.insert(command.end(), {"--dropout", "0.25"});
  ASSERT_EQ(cli::run(command).code, 0);
  EXPECT_NE(text_of(file("r/latest/unet/config.json")).find("\"dropout\": 0.25"), std::string::npos);
  for (const char* option : {"--paths", "--spread"})
    EXPECT_NE(cli::run({"forecast", "--help"}).out.find(option), std::string::npos) << option;
}

TEST_F(CliSeries, OfWhatHasNoScaleThereIsNoScore) {
  SeriesTable table = waves(2, 60);
  for (double& value : table.series[0].values) value = 0;
  const std::string mixed = write("mixed.csv", table);
  table.series.pop_back();
  const std::string zeros = write("zeros.csv", table);
  const auto score = [](const Json& report, const char* name, const char* which) {
    const Json::Array& rows = to_array(member(report, "forecasts", "json"), "forecasts");
    return member(member(rows[0], name, "row"), which, name);
  };
  const Json of_zeros =
      cli::json_of(cli::run({"eval", "--series", zeros, "--horizon", "4", "--season", "4", "--json"}));
  EXPECT_EQ(score(of_zeros, "wql", "value"), Json(nullptr));
  EXPECT_EQ(score(of_zeros, "better_than_naive", "high"), Json(nullptr));
  const Json of_both =
      cli::json_of(cli::run({"eval", "--series", mixed, "--horizon", "4", "--season", "4", "--json"}));
  EXPECT_EQ(score(of_both, "scaled_loss", "high"), score(of_both, "scaled_loss", "value"));
  const cli::Outcome text = cli::run({"eval", "--series", zeros, "--horizon", "4", "--season", "4"});
  EXPECT_EQ(text.out.find("nan"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("1 series have no scale"), std::string::npos) << text.out;
}

TEST_F(CliSeries, SeriesThatBeginLateAreForecastWithoutCalibration) {
  SeriesTable table = waves(1, 60);
  const std::string series = write("waves.csv", table);
  ASSERT_EQ(cli::run(train("run", series, "1")).code, 0);
  for (std::size_t i = 0; i < 57; ++i) table.series[0].values[i] = std::nan("");
  const std::string late = write("late.csv", table);
  const cli::Outcome forecast = cli::run({"forecast", file("run"), "--series", late, "--paths", "2",
                                          "--quiet", "-o", file("out.csv"), "--json"});
  EXPECT_EQ(member(cli::json_of(forecast), "spread", "json"), Json(1.0));
  cli::expect_error(2, {"eval", "--series", late, "--horizon", "4", "--season", "4"},
                    {"series w0 of late", "nothing to forecast from"});
}

TEST_F(CliSeries, BaselinesNeedNoModel) {
  const std::string series = write("waves.csv", waves(2, 60));
  const Json report =
      cli::json_of(cli::run({"eval", "--series", series, "--horizon", "4", "--season", "4", "--json"}));
  EXPECT_EQ(to_array(member(report, "forecasts", "json"), "forecasts").size(), 4u);
}

}  // namespace
}  // namespace diffusion
