// diffusion convert, verify, and what info tells of files, through the real binary.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <memory>
#include <string>

#include "cli_program.h"
#include "diffusers/pipeline.h"
#include "diffusers/scheduler_config.h"
#include "diffusers/weights.h"
#include "files/fs.h"
#include "formats/manifest.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

UNetConfig tiny_config() {
  UNetConfig c;
  c.sample_size = {8, 8};
  c.in_channels = c.out_channels = 1;
  c.block_out_channels = {16};
  c.down_block_attention = c.up_block_attention = {true};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  c.class_embed_type = ClassEmbedding::table;
  c.num_class_embeds = 3;
  return c;
}

Model model_of_one_level() {
  ParamStore params(layout_of(tiny_config()));
  params.initialize(11);
  const Preconditioner cosine(Objective::v, make_schedule(ScheduleKind::cosine, 100));
  return {tiny_config(), cosine, {"one", "two"}, 2, sampling_of_new_model(cosine, true), std::move(params)};
}

class CliFormats : public ::testing::Test {
 protected:
  CliFormats() { write("model", model_of_one_level()); }

  std::string file(std::string_view name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const Model& model) const {
    fs::create_directories(file(name));
    write_pipeline(file(name), model, model.params.values());
  }
  void convert(const std::string& to, const Arguments& more = {}) const {
    Arguments arguments{"convert", file("model"), file(to)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run(arguments);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  static void flip_bit(const fs::path& path, std::size_t byte) {
    std::string bytes = read_text_file(path, 1 << 24);
    bytes.at(byte) = char(bytes[byte] ^ 1);
    write_file(path, bytes);
  }
  // The report on stdout, and the exit code 3 of something damaged.
  std::string damage_report(const std::string& name) const {
    const Outcome outcome = run({"verify", file(name)});
    EXPECT_EQ(outcome.code, 3) << outcome.out;
    EXPECT_NE(outcome.err.find("is damaged"), std::string::npos) << outcome.err;
    return outcome.out;
  }
  void expect_report(const std::string& name, std::initializer_list<std::string> words) const {
    const std::string report = damage_report(name);
    for (const std::string& word : words)
      EXPECT_NE(report.find(word), std::string::npos) << word << "\n" << report;
  }

  scratch::Folder folder_;
};

TEST_F(CliFormats, ConvertedModelsVerifyInEveryPrecision) {
  for (const auto& [name, dtype] :
       {std::pair<std::string, std::string>{"f32", "F32"}, {"f16", "F16"}, {"bf16", "BF16"}}) {
    const Json json = json_of(run({"convert", file("model"), file(name), "--dtype", name, "--json"}));
    const std::int64_t parameters = model_of_one_level().params.layout().parameter_count();
    EXPECT_EQ(member(json, "bytes_before", "json"), Json(4 * parameters));
    EXPECT_EQ(member(json, "bytes_after", "json"), Json((name == "f32" ? 4 : 2) * parameters));
    EXPECT_EQ(WeightFiles::open(file(name) + "/unet").dtypes(), std::vector<std::string>{dtype});

    const Json report = json_of(run({"verify", file(name), "--json"}));
    EXPECT_EQ(member(report, "passed", "json"), Json(true));
    for (const Json& check : to_array(member(report, "checks", "json"), "checks"))
      EXPECT_EQ(member(check, "passed", "check"), Json(true)) << dump_json(check);
    EXPECT_EQ(read_pipeline(file(name)).class_names, model_of_one_level().class_names);
    EXPECT_EQ(read_pipeline(file(name)).null_class, 2);
  }
  EXPECT_EQ(folder_.files().size(), 4u);  // nothing temporary stays
}

TEST_F(CliFormats, ConvertTakesRuns) {
  fs::create_directories(file("run/checkpoints"));
  fs::rename(file("model"), file("run/checkpoints/step-000000003"));
  fs::create_directory_symlink("checkpoints/step-000000003", file("run/latest"));
  const Outcome outcome = run({"convert", file("run"), file("out/"), "--dtype", "bf16"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("in BF16"), std::string::npos) << outcome.out;
  EXPECT_EQ(run({"sample", file("out"), "-n", "1", "--steps", "1", "-o", file("x.npy")}).code, 0);
}

TEST_F(CliFormats, ConvertRefusesAndLeavesNothing) {
  const auto refused = [&](int code, const Arguments& arguments, const std::vector<std::string>& words) {
    const std::vector<std::string> before = folder_.files();
    expect_error(code, arguments, words);
    EXPECT_EQ(folder_.files(), before);
  };
  refused(2, {"convert", file("model"), file("model")}, {"exists"});
  refused(2, {"convert", file("model"), file("x"), "--dtype", "f8"}, {"f8", "f32, f16, bf16"});
  refused(2, {"convert", file("model")}, {"OUT"});
  refused(3, {"convert", file("absent"), file("x")}, {"absent", "does not exist"});
  refused(4, {"convert", file("model"), file("no/such/x")}, {"no/such"});
  fs::create_symlink("nowhere", file("dangling"));
  refused(2, {"convert", file("model"), file("dangling")}, {"exists"});

  Model model = model_of_one_level();
  model.params.values(*model.params.layout().find("conv_in.bias"))[3] = 1e6f;
  write("large", model);
  refused(2, {"convert", file("large"), file("x"), "--dtype", "f16"}, {"conv_in.bias", "65504"});
  model.params.values(*model.params.layout().find("conv_in.bias"))[3] =
      std::numeric_limits<float>::quiet_NaN();
  write("nan", model);
  refused(5, {"convert", file("nan"), file("x")}, {"NaN"});
}

TEST_F(CliFormats, OneFlippedBitInAnyFileIsFound) {
  convert("c");
  EXPECT_EQ(run({"verify", file("c")}).code, 0);
  const std::string weights = std::string("unet/") + kWeightsFile;
  for (const std::string& name :
       {std::string("model_index.json"), std::string("scheduler/scheduler_config.json"),
        std::string("unet/config.json"), weights}) {
    const fs::path path = fs::path(file("c")) / name;
    for (const std::uintmax_t byte : {fs::file_size(path) / 3, fs::file_size(path) - 2}) {
      flip_bit(path, byte);
      EXPECT_NE(damage_report("c").find(name + " has another SHA-256"), std::string::npos);
      flip_bit(path, byte);
    }
  }
  EXPECT_EQ(run({"verify", file("c")}).code, 0);
  fs::resize_file(file("c/" + weights), 1000);
  expect_report("c", {"FAILED  files", "1000 bytes instead of", "FAILED  format"});
  fs::remove(file("c/" + weights));
  expect_report("c", {"is missing"});
  write_file(file("c/diffusion.json"), std::string("{"));
  expect_report("c", {"FAILED  files", "diffusion.json"});
}

TEST_F(CliFormats, TheForwardPassShowsOtherWeightsWithoutAnyHash) {
  convert("c", {"--dtype", "f16"});
  Json extras = parse_json(read_text_file(file("c/diffusion.json"), 1 << 20), "d");
  std::get<Json::Object>(extras.value()).erase("files");
  write_file(file("c/diffusion.json"), dump_json(extras));
  Outcome outcome = run({"verify", file("c")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("-       files"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("is reproduced"), std::string::npos) << outcome.out;

  // The same shapes, another function.
  std::string config = read_text_file(file("c/unet/config.json"), 1 << 20);
  const std::string eps = "\"norm_eps\": 1e-05";
  config.replace(config.find(eps), eps.size(), "\"norm_eps\": 0.5");
  write_file(file("c/unet/config.json"), config);
  expect_report("c", {"ok      format", "FAILED  forward", "comes out otherwise"});
}

TEST_F(CliFormats, NumbersThatAreNoneAreCountedByTensor) {
  EXPECT_EQ(run({"verify", file("model")}).code, 0);
  Model model = model_of_one_level();
  const std::span<float> values = model.params.values(*model.params.layout().find("conv_out.weight"));
  values[0] = values[7] = std::numeric_limits<float>::quiet_NaN();
  values[9] = -std::numeric_limits<float>::infinity();
  write("model", model);
  expect_report("model", {"FAILED  numbers", "conv_out.weight holds 2 NaN and 1 infinite values among 144",
                          "FAILED  forward", "gives NaN"});
}

TEST_F(CliFormats, CheckpointsAreHeldAgainstTheirManifest) {
  const std::string weights = std::string("unet/") + kWeightsFile;
  fs::create_directory(file("model/training"));
  write_file(file("model/training/state.json"), std::string("{\"step\": 1}"));
  const std::string files[] = {"training/state.json", weights};
  const Json manifest = Json::Object{{"format", 1}, {"files", make_manifest(file("model"), files)}};
  write_file(file("model/manifest.json"), dump_json(manifest));
  const Outcome outcome = run({"verify", file("model")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("2 files are as recorded"), std::string::npos) << outcome.out;
  flip_bit(file("model/training/state.json"), 9);
  expect_report("model", {"training/state.json has another SHA-256"});
}

TEST_F(CliFormats, WhatVerifyFindsIsAlsoJson) {
  write_file(file("model/unet/config.json"), std::string("{}"));
  const Outcome outcome = run({"verify", file("model"), "--json"});
  EXPECT_EQ(outcome.code, 3);
  const Json report = parse_json(outcome.out, "stdout");
  EXPECT_EQ(member(report, "passed", "json"), Json(false));
  const Json& last = to_array(member(report, "checks", "json"), "checks").back();
  EXPECT_EQ(member(last, "check", "check"), Json("format"));
  expect_error(3, {"verify", file("absent")}, {"absent", "does not exist"});
}

TEST_F(CliFormats, InfoTellsCostSchedulerAndFiles) {
  write_file(file("model/scheduler/scheduler_config.json"),
             std::string(R"({"_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": true,
                             "prediction_type": "v_prediction", "some_note": 5})"));
  const Outcome text = run({"info", file("model")});
  for (const char* word :
       {"DPMSolverMultistepScheduler: dpmpp_2m, karras levels", "GFLOP", "batch of 64", "F32 in 1 file"})
    EXPECT_NE(text.out.find(word), std::string::npos) << word << "\n" << text.out;
  const Json json = json_of(run({"info", file("model"), "--json"}));
  EXPECT_EQ(member(member(json, "scheduler", "json"), "some_note", "scheduler"), Json(5));
  EXPECT_EQ(member(member(json, "sampling", "json"), "spacing", "sampling"), Json("karras"));
  EXPECT_EQ(member(json, "weight_dtypes", "json"), Json(Json::Array{"F32"}));
  const Json& cost = member(json, "cost", "json");
  const auto number = [&](const char* field) { return to_double(member(cost, field, "cost"), field); };
  // More than the largest convolution alone, 3x3 from 32 to 16 channels on 64 pixels.
  EXPECT_GT(number("flops"), 2.0 * 9 * 32 * 16 * 64);
  EXPECT_GT(number("activation_bytes"), 2.0 * 16 * 64 * 2);  // two feature maps, in bf16 at least
  EXPECT_GT(number("activation_bytes_of_64"), 64 * 2.0 * 16 * 64 * 2);
  EXPECT_EQ(number("weight_bytes"), 4 * double(model_of_one_level().params.layout().parameter_count()));
  EXPECT_TRUE(member(json, "history", "json").is_null());
}

TEST_F(CliFormats, InfoTellsTheHistoryOfARun) {
  fs::create_directories(file("run/checkpoints"));
  fs::rename(file("model"), file("run/checkpoints/step-000000030"));
  fs::create_directory_symlink("checkpoints/step-000000030", file("run/latest"));
  std::string log;
  for (int step = 1; step <= 30; ++step)
    log += fmt::format("{{\"step\": {}, \"seconds\": {}, \"loss\": {}}}\n", step, step * 0.5,
                       step <= 20 ? 2.0 : 1.0);
  write_file(file("run/log.jsonl"), log + "{\"step\": 31, \"sec");  // being written
  for (const char* model : {"run", "run/latest", "run/checkpoints/step-000000030"}) {
    const Json json = json_of(run({"info", file(model), "--json"}));
    EXPECT_EQ(member(json, "history", "json"),
              Json(Json::Object{{"steps", 30}, {"seconds", 15.0}, {"first_loss", 2.0}, {"last_loss", 1.5}}));
  }
  EXPECT_NE(run({"info", file("run")}).out.find("loss 2.0000 -> 1.5000"), std::string::npos);
  write_file(file("run/log.jsonl"), log + "nonsense\n");
  expect_error(3, {"info", file("run")}, {"log.jsonl, line 31"});
}

}  // namespace
}  // namespace diffusion
