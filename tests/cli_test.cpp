// The commands through the real binary: exit codes, stdout, stderr and files. The command noise is in
// cli_noise_test.cpp.

#include <fmt/format.h>
#include <gif_lib.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "diffusion/model.h"
#include "files/fs.h"
#include "formats/npy.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error, cli::program, cli::tiny_model,
    cli::write_model;
using scratch::Folder;

class Cli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(fs::exists(program())) << "build the target diffusion_cli or set DIFFUSION_BINARY";
    folder_ = std::make_unique<Folder>();
    write_model(model(), tiny_model());
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string file(std::string_view name) { return (*folder_ / name).string(); }
  static std::string model() { return file("model"); }

  // Runs `diffusion sample MODEL -n COUNT --steps 4 -o <name> ...`, which must succeed.
  static Outcome sample(int count, const std::string& name, const Arguments& more = {}) {
    Arguments arguments{"sample", model(), "-n", std::to_string(count), "--steps", "4", "-o", file(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome;
  }
  static std::vector<std::uint8_t> pixels(int count, const Arguments& more) {
    sample(count, "pixels.npy", more);
    return read_npy_uint8(file("pixels.npy")).data;
  }
  static inline std::unique_ptr<Folder> folder_;
};

TEST_F(Cli, HelpAndVersionAreFastAndGoToStdout) {
  const Outcome alone = run({}), help = run({"--help"}), version = run({"--version"});
  EXPECT_EQ(alone.code, 0);
  EXPECT_EQ(alone.out, help.out);
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(help.err, "");
  EXPECT_LT(help.cpu_seconds, 0.5);
  for (const char* word : {"train", "sample", "noise", "info", "Exit codes"})
    EXPECT_NE(help.out.find(word), std::string::npos) << word;

  const std::string cmake = read_text_file(fs::path(DIFFUSION_SOURCE_DIR) / "CMakeLists.txt", 1 << 20);
  ASSERT_TRUE(version.out.starts_with("diffusion ")) << version.out;
  const std::string number = version.out.substr(10, version.out.size() - 11);
  EXPECT_NE(cmake.find("project(diffusion VERSION " + number + " "), std::string::npos) << number;
}

TEST_F(Cli, EveryCommandHasHelpAndJson) {
  for (const char* command : {"train", "sample", "noise", "info"}) {
    const Outcome help = run({command, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_EQ(help.err, "");
    EXPECT_NE(help.out.find("--json"), std::string::npos) << command;
  }
  for (const char* option :
       {"--count",  "--steps",   "--sampler", "--seed",  "--label",   "--guidance",  "--out",     "--gif",
        "--eta",    "--spacing", "--first",   "--batch", "--threads", "--precision", "--columns", "--scale",
        "--frames", "--quiet",   "ddpm",      "ddim",    "trailing",  ".npy"})
    EXPECT_NE(run({"sample", "--help"}).out.find(option), std::string::npos) << option;
}

TEST_F(Cli, UsageErrorsTellWhatWasMeantOrWhatIsAccepted) {
  expect_error(2, {"smaple"}, {"diffusion: unknown command \"smaple\"", "did you mean sample?"});
  expect_error(2, {"--versoin"}, {"unknown option \"--versoin\"", "did you mean --version?"});
  expect_error(
      2, {"sample", model(), "-o", file("x.png"), "--step", "3"},
      {"diffusion sample: unknown option \"--step\"", "did you mean --steps?", "diffusion sample --help"});
  expect_error(2, {"sample", model(), "-o", file("x.png"), "--qqqqqq=3"}, {"unknown option \"--qqqqqq\""});
  expect_error(2, {"info", model(), "second"}, {"unexpected argument \"second\""});
  expect_error(2, {"train", "--data", "shapes", "--steps", "1", "--out", file("y"), "--lr", "-1"},
               {"learning_rate is -1; accepted is a positive number (--lr)"});
  expect_error(2, {"info"}, {"MODEL is required"});
  // A mistyped option is often why another is missing, and never hidden by another fault.
  expect_error(2, {"train-features", "--epoch", "3", "--out", file("x")},
               {"diffusion train-features: unknown option \"--epoch\"; did you mean --epochs?",
                "Also: --data is required", "diffusion train-features --help"});
  expect_error(2, {"eval", "--sample", file("x.png")},
               {"diffusion eval: unknown option \"--sample\"; did you mean --samples?"});
  expect_error(2, {"info", "--jsno"},
               {"unknown option \"--jsno\"; did you mean --json?", "MODEL is required"});
  expect_error(2, {"sample", model(), "-o", file("x.png"), "--count", "0", "--step", "3"},
               {"unknown option \"--step\"; did you mean --steps?", "--count", "1 to"});
  expect_error(2, {"convert", model()}, {"OUT is required"});
  for (const auto& [option, value, accepted] : std::vector<std::array<std::string, 3>>{
           {"--steps", "0", "1 to"},
           {"--steps", "1.5", "1 to"},
           {"--steps", "101", "1 to 100"},
           {"--count", "0", "1 to"},
           {"--count", "99999999999999999999", "1 to"},
           {"--seed", "-1", "0 or more"},
           {"--batch", "0", "1 to"},
           {"--threads", "-1", "0 to"},
           {"--first", "2147483647", "at most 2147483583"},
           {"--sampler", "oiler", "ddpm, ddim"},
           {"--spacing", "even", "leading, trailing, linspace"},
           {"--precision", "f8", "auto, f32, bf16"},
           {"--eta", "1.5", "eta of the sampler dpmpp_3m_sde is 1.5; accepted are 0 to 1"},
           {"--s-churn", "1", "dpmpp_3m_sde does not take the option s_churn"},
           {"--eta", "x", "--eta"},
           {"--guidance", "nan", "finite"},
           {"--scale", "0", "1 to"},
           {"--frames", "3", "only"},
           {"--gif", "film.png", ".gif"},
           {"--label", "3", "0 to 2, Alpha, beta, gamma ray"},
           {"--label", "delta", "0 to 2, Alpha, beta, gamma ray"}}) {
    const bool frames = option == "--frames";
    expect_error(2, {"sample", model(), "-o", file("x.png"), option, value},
                 {"diffusion sample: ", frames ? ".gif" : accepted});
  }
  expect_error(2, {"sample", model(), "-o", file("x.png"), "--sampler", "ddim", "--eta", "2"}, {"0 to 1"});
  EXPECT_FALSE(fs::exists(file("x.png")));
}

TEST_F(Cli, AnOutputThatCannotBeWrittenIsRefusedBeforeTheWork) {
  write_file(file("plain"), "text");
  fs::create_directory(file("folder.png"));
  const auto refused = [](int code, const std::string& out, const std::vector<std::string>& words) {
    expect_error(code, {"sample", "/no/such/model", "-o", out}, words);  // the model was not even looked for
    expect_error(code, {"noise", "/no/such/image", "-o", out}, words);
  };
  refused(2, file("x.bmp"), {"x.bmp", ".png, .jpg, .jpeg, .gif, .npy"});
  refused(2, "", {"empty"});
  refused(4, file("absent/x.png"), {file("absent/x.png"), "no directory"});
  refused(4, file("absent/deeper/"), {"no directory"});
  refused(4, file("plain/x.npy"), {"not a directory"});
  refused(4, file("plain"), {"not a directory"});
  refused(4, file("folder.png"), {"it is a directory"});
  refused(4, "/dev/null", {"/dev/null"});
  expect_error(4, {"sample", "/no/such/model", "-o", file("x.png"), "--gif", file("absent/x.gif")},
               {"absent"});
}

TEST_F(Cli, WhatIsNoModelIsBadInputThatNamesTheFile) {
  expect_error(3, {"info", file("absent")}, {"diffusion info: " + file("absent"), "does not exist"});
  write_file(file("plain"), "text");
  expect_error(3, {"info", file("plain")}, {"is not a directory"});
  fs::create_directory(file("empty"));
  expect_error(3, {"sample", file("empty"), "-o", file("x.png")}, {"model_index.json", "latest"});
  fs::create_directory_symlink("checkpoints/step-9", file("empty/latest"));
  expect_error(3, {"info", file("empty")}, {"checkpoints/step-9", "does not exist"});

  fs::copy(model(), file("broken"), fs::copy_options::recursive);
  const fs::path weights = file("broken/unet/diffusion_pytorch_model.safetensors");
  fs::resize_file(weights, fs::file_size(weights) - 4);
  expect_error(3, {"info", file("broken")}, {weights.string()});
  expect_error(3, {"sample", file("broken"), "-o", file("x.png")}, {weights.string()});
  fs::remove(weights);
  expect_error(4, {"info", file("broken")}, {weights.string()});
  write_file(file("broken/unet/config.json"), "{");
  expect_error(3, {"info", file("broken")}, {file("broken/unet/config.json")});
}

TEST_F(Cli, SampleWritesAGridWithAClassInEachColumn) {
  const Outcome outcome = sample(7, "grid.png", {"--quiet"});
  EXPECT_EQ(outcome.err, "");
  EXPECT_NE(outcome.out.find("7 images in "), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find(file("grid.png")), std::string::npos) << outcome.out;
  const Image grid = read_image(file("grid.png"));  // 8 pixels are shown as 64
  EXPECT_EQ(grid.width, 3 * 64 + 2 * 2);
  EXPECT_EQ(grid.height, 3 * 64 + 2 * 2);
  EXPECT_EQ(grid.channels, 1);

  sample(7, "row.png", {"--columns", "100", "--scale", "1"});
  const Image row = read_image(file("row.png"));
  EXPECT_EQ(row.width, 7 * 8 + 6 * 2);
  EXPECT_EQ(row.height, 8);
  for (std::size_t y = 0; y < 64; ++y)  // the first tile
    for (std::size_t x = 0; x < 64; ++x)
      ASSERT_EQ(grid.pixels[y * std::size_t(grid.width) + x],
                row.pixels[y / 8 * std::size_t(row.width) + x / 8]);
}

TEST_F(Cli, SampleWritesTheSameImagesAsArrayAndAsDirectory) {
  sample(3, "three.npy");
  const NpyArray<std::uint8_t> array = read_npy_uint8(file("three.npy"));
  EXPECT_EQ(array.dims, (std::vector<std::int64_t>{3, 8, 8, 1}));
  sample(3, "three", {"--first", "0"});
  sample(1, "three", {"--first", "11"});
  for (int k = 0; k < 3; ++k) {
    const Image image = read_image(fs::path(file("three")) / fmt::format("{:06}.png", k));
    EXPECT_EQ(image.pixels,
              std::vector<std::uint8_t>(array.data.begin() + k * 64, array.data.begin() + k * 64 + 64));
  }
  EXPECT_TRUE(fs::exists(file("three/000011.png")));
}

TEST_F(Cli, ImageKIsTheSameBytesAloneInABatchAndWithAnyThreads) {
  const std::vector<std::uint8_t> all = pixels(5, {"--seed", "42"});
  EXPECT_EQ(pixels(5, {"--seed", "42", "--batch", "2"}), all);
  EXPECT_EQ(pixels(5, {"--seed", "42", "--threads", "1"}), all);
  EXPECT_EQ(pixels(5, {"--seed", "42", "--threads", "2", "--batch", "3"}), all);
  for (const int k : {0, 3, 4}) {
    const std::vector<std::uint8_t> one(all.begin() + k * 64, all.begin() + (k + 1) * 64);
    EXPECT_EQ(pixels(1, {"--seed", "42", "--first", std::to_string(k)}), one) << k;
  }
  EXPECT_NE(pixels(5, {"--seed", "43"}), all);
}

TEST_F(Cli, OptionsReachTheSampler) {
  const std::vector<std::uint8_t> usual = pixels(1, {});
  EXPECT_NE(pixels(1, {"--sampler", "ddpm"}), usual);
  EXPECT_NE(pixels(1, {"--sampler", "ddim", "--eta", "1"}), usual);
  EXPECT_NE(pixels(1, {"--spacing", "linspace"}), usual);
  EXPECT_NE(pixels(1, {"--guidance", "5"}), usual);
  EXPECT_EQ(pixels(1, {"--label", "Alpha"}), usual);
  const std::vector<std::uint8_t> gamma = pixels(1, {"--label", "2"});
  EXPECT_NE(gamma, usual);
  EXPECT_EQ(pixels(1, {"--label", "Gamma Ray"}), gamma);
}

TEST_F(Cli, SampleAnimatesFromNoiseToTheGrid) {
  const auto frames_of = [](const std::string& path) {
    std::vector<std::vector<std::uint8_t>> frames;
    int error = 0;
    GifFileType* gif = DGifOpenFileName(path.c_str(), &error);
    EXPECT_NE(gif, nullptr) << path;
    if (gif == nullptr) return frames;
    EXPECT_EQ(DGifSlurp(gif), GIF_OK);
    for (int i = 0; i < gif->ImageCount; ++i) {
      const GifByteType* bits = gif->SavedImages[i].RasterBits;
      frames.emplace_back(bits, bits + gif->SWidth * gif->SHeight);  // gray: the index is the value
    }
    DGifCloseFile(gif, nullptr);
    return frames;
  };
  sample(2, "film.png", {"--gif", file("film.gif")});
  const auto frames = frames_of(file("film.gif"));
  ASSERT_EQ(frames.size(), 5u);  // noise and 4 steps
  EXPECT_EQ(frames.back(), read_image(file("film.png")).pixels);
  EXPECT_NE(frames.front(), frames.back());

  sample(2, "film2.gif", {"--frames", "2"});
  const auto ends = frames_of(file("film2.gif"));
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0], frames.front());
  EXPECT_EQ(ends[1], frames.back());
}

TEST_F(Cli, SampleReportsInJson) {
  const Json json = json_of(sample(2, "j.npy", {"--json", "--seed", "9", "--gif", file("j.gif"), "--quiet"}));
  const auto field = [&](const char* name) { return member(json, name, "stdout"); };
  EXPECT_EQ(field("model"), Json(model()));
  EXPECT_EQ(field("count"), Json(2));
  EXPECT_EQ(field("seed"), Json(9));
  EXPECT_EQ(field("steps"), Json(4));
  EXPECT_EQ(field("sampler"), Json("dpmpp_3m_sde"));
  EXPECT_GT(to_double(field("seconds"), "seconds"), 0);
  EXPECT_GT(to_double(field("images_per_second"), "rate"), 0);
  EXPECT_EQ(field("outputs"), Json(Json::Array{file("j.npy"), file("j.gif")}));

  const auto steps_of = [](const Arguments& more) {
    Arguments all{"sample", model(), "-n", "1", "-o", file("j.npy"), "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return member(json_of(run(all)), "steps", "stdout");
  };
  EXPECT_EQ(steps_of({}), Json(20));
  EXPECT_EQ(steps_of({"--sampler", "ddim"}), Json(50));
  EXPECT_EQ(steps_of({"--sampler", "ddpm"}), Json(100));
}

TEST_F(Cli, ModelsThatDoNotFitTheRequest) {
  write_model(file("pair"), tiny_model({.channels = 2, .guidance = false}));
  const auto with = [&](const Arguments& more) {
    Arguments arguments{"sample", file("pair"), "-n", "1", "--steps", "2", "-o"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  expect_error(2, with({file("x.png"), "--guidance", "2"}), {"guidance", "null class"});
  write_model(file("five"), tiny_model({.channels = 5, .guidance = false}));
  expect_error(2, {"sample", file("five"), "-n", "1", "--steps", "2", "-o", file("x.gif")},
               {"x.gif", "5 channels"});
  expect_error(
      2, {"sample", file("pair"), "-n", "1000000", "--columns", "1000", "--scale", "64", "-o", file("x.png")},
      {"x.png", "too large"});
  expect_error(2, {"sample", model(), "-o", file("x.gif"), "-n", "1000", "--columns", "1000", "--scale", "9"},
               {"x.gif", "too large"});
}

TEST_F(Cli, AScheduleThatDoesNotEndInNoiseIsWarnedOf) {
  write_model(
      file("linear"),
      tiny_model({.guidance = false,
                  .preconditioner = {Objective::v, make_schedule(ScheduleKind::linear, 100)}}));  // 100 steps
  const Outcome outcome =
      run({"sample", file("linear"), "-n", "1", "--steps", "2", "-o", file("w.npy"), "--quiet"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_TRUE(outcome.err.starts_with("warning: ")) << outcome.err;
  EXPECT_NE(outcome.err.find("signal-to-noise"), std::string::npos) << outcome.err;
}

TEST_F(Cli, ARunStandsForItsLatestCheckpoint) {
  fs::create_directories(file("run/checkpoints"));
  expect_error(3, {"info", file("run")}, {"run", "without a checkpoint"});
  write_model(file("run/checkpoints/step-000000012"), tiny_model());
  fs::create_directory_symlink("checkpoints/step-000000012", file("run/latest"));
  const Json untrained = json_of(run({"info", file("run"), "--json"}));
  EXPECT_TRUE(member(untrained, "training", "stdout").is_null());

  fs::create_directory(file("run/latest/training"));
  write_file(file("run/latest/training/state.json"), R"({"step": 12, "seconds": 75.5, "future": [1]})");
  const Json info = json_of(run({"info", file("run"), "--json"}));
  EXPECT_EQ(member(info, "training", "stdout"), Json(Json::Object{{"step", 12}, {"seconds", 75.5}}));
  EXPECT_NE(run({"info", file("run")}).out.find("12 steps in 1:16"), std::string::npos);
  EXPECT_EQ(run({"sample", file("run/"), "-n", "1", "--steps", "1", "-o", file("r.png")}).code, 0);

  write_file(file("run/latest/training/state.json"), R"({"step": "twelve"})");
  expect_error(3, {"info", file("run")}, {"training/state.json", "step"});
}

TEST_F(Cli, InfoTellsWhatAModelIs) {
  const Outcome text = run({"info", model()});
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(text.err, "");
  for (const char* word :
       {"8, 16 channels", "8 x 8, 1 channel", "Alpha, beta, gamma ray", "cosine", "100 timesteps"})
    EXPECT_NE(text.out.find(word), std::string::npos) << word << " in\n" << text.out;

  const Json json = json_of(run({"info", model(), "--json"}));
  const Json& network = member(json, "network", "stdout");
  EXPECT_EQ(member(network, "parameters", "network"), Json(tiny_model().params.layout().parameter_count()));
  EXPECT_EQ(member(json, "classes", "stdout"), Json(3));
  EXPECT_EQ(member(json, "null_class", "stdout"), Json(3));
  EXPECT_EQ(member(json, "image_size", "stdout"), Json(Json::Array{8, 8}));
  EXPECT_EQ(member(json, "objective", "stdout"), Json("v"));
  std::int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(model()))
    if (entry.is_regular_file()) bytes += std::int64_t(entry.file_size());
  EXPECT_EQ(member(json, "disk_bytes", "stdout"), Json(bytes));
}

TEST_F(Cli, StdoutThatIsFullIsAnErrorAndAReaderThatHasGoneIsNot) {
  const Outcome full = run({"info", model()}, "/dev/full");
  EXPECT_EQ(full.code, 4);
  EXPECT_NE(full.err.find("stdout: No space left on device"), std::string::npos) << full.err;

  const std::string command =
      fmt::format("sleep 0.2; '{}' info '{}'; echo $? >'{}'", program().string(), model(), file("code"));
  const std::string line = fmt::format("( {} ) 2>'{}' | true", command, file("err"));
  EXPECT_EQ(std::system(line.c_str()), 0);
  for (int wait = 0; wait < 100 && !fs::exists(file("code")); ++wait) ::usleep(100'000);
  EXPECT_EQ(read_text_file(file("code"), 100), "0\n");
  EXPECT_EQ(read_text_file(file("err"), 1000), "");
}

}  // namespace
}  // namespace diffusion
