// The command "noise" through the real binary.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include <diffusion/picture_files.h>
#include "base/rng.h"
#include "cli_program.h"
#include "diffusion/schedule.h"
#include "files/fs.h"
#include "formats/npy.h"
#include "pictures/resize.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

class CliNoise : public ::testing::Test {
 protected:
  void SetUp() override {
    write_png(file("image.png"), Image{48, 32, 3, std::vector<std::uint8_t>(48 * 32 * 3, 200)});
  }

  std::string file(std::string_view name) { return (folder_ / name).string(); }

 private:
  scratch::Folder folder_;
};

TEST_F(CliNoise, ShowsTheForwardProcessInARow) {
  const Outcome outcome = run({"noise", file("image.png"), "-o", file("row.png"), "--quiet"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_NE(outcome.out.find("t = 199"), std::string::npos);
  const Image row = read_image(file("row.png"));
  EXPECT_EQ(row.width, 5 * 128 + 4 * 4);
  EXPECT_GT(row.height, 128 + 8) << "room for titles";
  EXPECT_LT(row.height, 128 + 40);
  EXPECT_EQ(row.channels, 3);
  EXPECT_EQ(run({"noise", file("image.png"), "-o", file("plain.png"), "--quiet", "--no-titles"}).code, 0);
  const Image plain = read_image(file("plain.png"));
  EXPECT_EQ(plain.height, 128);
  EXPECT_TRUE(std::ranges::equal(plain.pixels, std::span(row.pixels).last(plain.pixels.size())))
      << "titles do not touch the pictures";
}

// alphas_cumprod, x_t and pixels computed here from the formulas, in double.
void expect_matches_the_equation(const Image& x0, const NpyArray<float>& noise,
                                 const std::vector<int>& timesteps, const NpyArray<std::uint8_t>& pictures) {
  const std::size_t planes = std::size_t(x0.channels), pixels = x0.pixels.size() / planes;
  ASSERT_EQ(pictures.data.size(), timesteps.size() * x0.pixels.size());
  double worst = 0;
  for (std::size_t k = 0; k < timesteps.size(); ++k) {
    double alpha_bar = 1;
    for (int s = 0; s <= timesteps[k]; ++s) alpha_bar *= 1 - (1e-4 + (0.02 - 1e-4) * s / 199.0);
    for (std::size_t p = 0; p < pixels; ++p)
      for (std::size_t c = 0; c < planes; ++c) {
        const double clean = 2 * (x0.pixels[p * planes + c] / 255.0) - 1;
        const double x_t =
            std::sqrt(alpha_bar) * clean + std::sqrt(1 - alpha_bar) * noise.data[c * pixels + p];
        const double expected = std::min(std::max((x_t + 1) / 2, 0.0), 1.0) * 255;
        worst = std::max(worst, std::abs(expected - pictures.data[(k * pixels + p) * planes + c]));
      }
  }
  EXPECT_LE(worst, 0.5 + 1e-6) << "rounded to the nearest of 255";
}

NpyArray<float> some_noise(const std::vector<std::int64_t>& dims, std::size_t elements) {
  NpyArray<float> noise{dims, std::vector<float>(elements)};
  fill_normal({.seed = 77, .stream = Stream::train_noise}, noise.data);
  return noise;
}

TEST_F(CliNoise, MatchesADoublePrecisionReferenceForGivenNoise) {
  Image image{128, 128, 3, {}};
  for (std::int64_t i = 0; i < 128 * 128 * 3; ++i) image.pixels.push_back(std::uint8_t(i * i / 97 + i / 11));
  write_png(file("in.png"), image);
  const NpyArray<float> noise = some_noise({1, 3, 128, 128}, 3 * 128 * 128);
  write_npy(file("noise.npy"), noise.dims, noise.data);
  const Outcome outcome = run({"noise", file("in.png"), "--size", "128", "--at", "0,50,100,150,199",
                               "--noise", file("noise.npy"), "-o", file("out.npy"), "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto pictures = read_npy_uint8(file("out.npy"));
  EXPECT_EQ(pictures.dims, (std::vector<std::int64_t>{5, 128, 128, 3}));
  expect_matches_the_equation(image, noise, {0, 50, 100, 150, 199}, pictures);
}

TEST_F(CliNoise, MatchesTheReferenceOnTheCatPhotograph) {
  const char* given = std::getenv("DIFFUSION_DATA_DIR");
  const fs::path data = given ? fs::path(given) : fs::path(DIFFUSION_SOURCE_DIR) / "../shared/data";
  const fs::path cat = data / "images/000000039769.png";
  if (!fs::exists(cat)) GTEST_SKIP() << "no " << cat;
  const NpyArray<float> noise = some_noise({3, 128, 128}, 3 * 128 * 128);
  write_npy(file("noise.npy"), noise.dims, noise.data);
  const Outcome outcome = run({"noise", cat.string(), "--size", "128", "--at", "0,50,100,150,199", "--noise",
                               file("noise.npy"), "-o", file("out.npy"), "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  expect_matches_the_equation(center_square(read_image(cat), 128), noise, {0, 50, 100, 150, 199},
                              read_npy_uint8(file("out.npy")));
}

TEST_F(CliNoise, RefusesNoiseThatDoesNotFit) {
  const auto refused = [&](const std::vector<std::int64_t>& dims, std::size_t elements, float first,
                           const std::vector<std::string>& words) {
    NpyArray<float> noise = some_noise(dims, elements);
    noise.data[0] = first;
    write_npy(file("noise.npy"), noise.dims, noise.data);
    expect_error(
        3, {"noise", file("image.png"), "--size", "8", "--noise", file("noise.npy"), "-o", file("o.npy")},
        words);
  };
  refused({8, 8, 3}, 192, 0, {"noise.npy", "[8, 8, 3]", "[3, 8, 8]", "[1, 3, 8, 8]"});
  refused({2, 3, 8, 8}, 384, 0, {"[2, 3, 8, 8]"});
  refused({192}, 192, 0, {"[192]"});
  refused({3, 8, 8}, 192, std::numeric_limits<float>::infinity(),
          {"noise.npy", "inf", "position 0", "finite"});
  refused({3, 8, 8}, 192, std::nanf(""), {"nan"});
  write_npy(file("u8.npy"), std::vector<std::int64_t>{1}, std::vector<std::uint8_t>{7});
  expect_error(3, {"noise", file("image.png"), "--noise", file("u8.npy"), "-o", file("o.npy")},
               {"u8.npy", "<f4"});
  expect_error(4, {"noise", file("image.png"), "--noise", file("none.npy"), "-o", file("o.npy")},
               {"none.npy"});
  expect_error(2, {"noise", file("image.png"), "--noise", file("u8.npy"), "--seed", "3", "-o", file("o.npy")},
               {"--seed", "--noise"});
  EXPECT_FALSE(fs::exists(file("o.npy")));
}

TEST_F(CliNoise, WidthKeepsTheWholePicture) {
  const Json json = json_of(
      run({"noise", file("image.png"), "--width", "24", "--at", "40", "-o", file("w.npy"), "--json"}));
  EXPECT_EQ(member(json, "width", "stdout"), Json(24));
  EXPECT_EQ(member(json, "height", "stdout"), Json(16));
  EXPECT_EQ(read_npy_uint8(file("w.npy")).dims, (std::vector<std::int64_t>{1, 16, 24, 3}));
  expect_error(2, {"noise", file("image.png"), "--width", "24", "--size", "8", "-o", file("x.png")},
               {"--width", "--size"});
}

TEST_F(CliNoise, ScalesBetasAndRescalesToZeroTerminalSnr) {
  const auto terminal_snr = [&](Arguments more) {
    Arguments arguments{"noise", file("image.png"), "--size", "4", "--at", "199",
                        "-o",    file("s.npy"),     "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Json json = json_of(run(arguments));
    return to_double(member(json, "terminal_snr", "stdout"), "terminal_snr");
  };
  EXPECT_NEAR(terminal_snr({}), 0.1523, 1e-4);
  EXPECT_NEAR(terminal_snr({"--beta-scale", "auto"}), 3.0319e-5, 1e-8);
  EXPECT_EQ(terminal_snr({"--beta-scale", "5"}), terminal_snr({"--beta-scale", "auto"}));
  EXPECT_NEAR(terminal_snr({"--zero-terminal-snr"}), std::pow(2, -24), 1e-12);
  for (const char* scale : {"0", "-1", "x", "", "nan", "inf", "5x", "1e400"})
    expect_error(2, {"noise", file("image.png"), "-o", file("s.npy"), "--beta-scale", scale},
                 {"--beta-scale", "auto"});
  expect_error(2, {"noise", file("image.png"), "-o", file("s.npy"), "--beta-scale", "50"},
               {"--beta-scale 50", "0.005 to 1", "less than 1"});
  expect_error(
      2, {"noise", file("image.png"), "-o", file("s.npy"), "--beta-scale", "auto", "--schedule", "cosine"},
      {"--beta-scale", "cosine"});
  expect_error(2,
               {"noise", file("image.png"), "-o", file("s.npy"), "--timesteps", "1", "--zero-terminal-snr"},
               {"zero terminal SNR"});
}

TEST_F(CliNoise, PlotsTheSchedule) {
  const Outcome both = run(
      {"noise", file("image.png"), "--size", "8", "-o", file("n.png"), "--plot", file("s.svg"), "--json"});
  const Json json = json_of(both);
  EXPECT_EQ(member(json, "outputs", "stdout"), Json(Json::Array{file("n.png"), file("s.svg")}));
  EXPECT_TRUE(read_text_file(file("s.svg"), 1 << 20).starts_with("<?xml"));
  const Outcome only = run({"noise", file("image.png"), "--plot", file("s.png"), "--quiet"});
  EXPECT_EQ(only.code, 0) << only.err;
  EXPECT_NE(only.out.find(file("s.png")), std::string::npos);
  EXPECT_EQ(read_image(file("s.png")).width, 3 * 360);
  expect_error(2, {"noise", file("image.png"), "--plot", file("s.pdf")}, {"s.pdf", ".svg and .png"});
  expect_error(4, {"noise", file("image.png"), "--plot", file("none/s.svg")}, {"none/s.svg", "no directory"});
  expect_error(2, {"noise", file("image.png")}, {"--out", "--plot", "--show"});
}

TEST_F(CliNoise, WritesJpeg) {
  const Outcome outcome =
      run({"noise", file("image.png"), "--size", "32", "--at", "0,40", "-o", file("row.jpg"), "--quiet"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(read_text_file(file("row.jpg"), 1 << 20).starts_with("\xff\xd8\xff"));
  const Image row = read_image(file("row.jpg"));
  EXPECT_GE(row.width, 2 * 32 + 4);
  EXPECT_EQ(row.channels, 3);
}

TEST_F(CliNoise, SaysWhenThereIsNoTerminalToShowPicturesIn) {
  const Outcome outcome = run({"noise", file("image.png"), "--size", "8", "--show", "--quiet"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.err.find("--show: stdout is no terminal"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.out.find('\x1b'), std::string::npos);
}

TEST_F(CliNoise, WorksWithoutAnyFont) {
  write_file(file("fonts.conf"), "<?xml version=\"1.0\"?><fontconfig></fontconfig>");
  ::setenv("FONTCONFIG_FILE", file("fonts.conf").c_str(), 1);
  const Outcome outcome =
      run({"noise", file("image.png"), "-o", file("f.png"), "--plot", file("f.svg"), "--quiet"});
  ::unsetenv("FONTCONFIG_FILE");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_GT(read_image(file("f.png")).height, 128);
  EXPECT_TRUE(fs::exists(file("f.svg")));
}

TEST_F(CliNoise, ReportsNoiseLevelsAndWritesArraysAndDirectories) {
  const Arguments common{"noise",      file("image.png"), "--size",      "16",  "--at",   "7,0,99",
                         "--schedule", "cosine",          "--timesteps", "100", "--json", "-o"};
  const auto to = [&](const std::string& out, const std::string& seed = "0") {
    Arguments arguments = common;
    arguments.insert(arguments.end(), {file(out), "--seed", seed});
    return json_of(run(arguments));
  };
  const Json json = to("n.npy");
  const NoiseSchedule schedule = make_schedule(ScheduleKind::cosine, 100);
  const Json::Array& pictures = to_array(member(json, "pictures", "stdout"), "pictures");
  ASSERT_EQ(pictures.size(), 3u);
  EXPECT_EQ(member(pictures[0], "t", "picture"), Json(7));
  EXPECT_EQ(member(pictures[0], "alphas_cumprod", "picture"), Json(schedule.alpha_cumprod(7)));
  EXPECT_EQ(member(pictures[2], "sigma", "picture"), Json(schedule.sigma(99)));
  const NpyArray<std::uint8_t> array = read_npy_uint8(file("n.npy"));
  EXPECT_EQ(array.dims, (std::vector<std::int64_t>{3, 16, 16, 3}));
  to("n2.npy", "1");
  EXPECT_NE(read_npy_uint8(file("n2.npy")).data, array.data);
  to("n");
  const Image first = read_image(file("n/t000007.png"));
  EXPECT_EQ(first.pixels, std::vector<std::uint8_t>(array.data.begin(), array.data.begin() + 16 * 16 * 3));
  EXPECT_TRUE(fs::exists(file("n/t000099.png")));
}

TEST_F(CliNoise, CompositesTransparencyOnWhite) {
  write_png(file("clear.png"), Image{4, 4, 4, std::vector<std::uint8_t>(64, 0)});
  const Outcome outcome = run({"noise", file("clear.png"), "--size", "4", "--at", "0", "--beta-start", "1e-9",
                               "--beta-end", "2e-9", "--timesteps", "2", "-o", file("clear.npy")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with("warning: ")) << "no noise at the end: " << outcome.err;
  EXPECT_EQ(read_npy_uint8(file("clear.npy")).data, std::vector<std::uint8_t>(48, 255));
}

TEST_F(CliNoise, AnimatesTheWholeProcess) {
  const Outcome outcome =
      run({"noise", file("image.png"), "--size", "8", "--frames", "7", "-o", file("noise.gif"), "--json"});
  const Json json = json_of(outcome);
  EXPECT_EQ(to_array(member(json, "pictures", "stdout"), "pictures").size(), 7u);
  EXPECT_TRUE(read_text_file(file("noise.gif"), 1 << 20).starts_with("GIF89a"));
  EXPECT_EQ(
      run({"noise", file("image.png"), "--size", "8", "--frames", "2", "--delay", "70", "-o", file("d.gif")})
          .code,
      0);
  const std::string control("\x21\xf9\x04\x04\x07\x00", 6);  // a graphic control block with 7 / 100 s
  EXPECT_NE(read_text_file(file("d.gif"), 1 << 20).find(control), std::string::npos);
}

TEST_F(CliNoise, RefusesOptionsThatDoNotGoTogether) {
  const std::string image = file("image.png");
  expect_error(2, {"noise", image, "-o", file("a.png"), "--frames", "3"}, {"--frames", ".gif"});
  expect_error(2, {"noise", image, "-o", file("a.gif"), "--at", "3"}, {"--at", ".gif"});
  expect_error(2, {"noise", image, "-o", file("a.npy"), "--no-titles"}, {"--no-titles"});
  expect_error(2, {"noise", image, "-o", file("a.gif"), "--show"}, {"--show", ".gif"});
  expect_error(2, {"noise", image, "-o", file("a.png"), "--delay", "50"}, {"--delay", ".gif"});
  expect_error(2, {"noise", image, "-o", file("a.gif"), "--delay", "5"}, {"--delay", "20 to 60000"});
  expect_error(2, {"noise", image, "--show", "--json"}, {"--show", "--json"});
  EXPECT_FALSE(fs::exists(file("a.png")));
}

TEST_F(CliNoise, RefusesWhatIsNoImageAndWhatIsNoTimestep) {
  const std::string out = file("refused.png");
  expect_error(4, {"noise", file("absent.png"), "-o", out}, {file("absent.png"), "No such file"});
  write_file(file("text.png"), "this is not a picture");
  expect_error(3, {"noise", file("text.png"), "-o", out, "--quiet"},
               {file("text.png"), "neither PNG nor JPEG"});
  fs::copy_file(file("image.png"), file("cut.png"));
  fs::resize_file(file("cut.png"), fs::file_size(file("cut.png")) / 2);
  expect_error(3, {"noise", file("cut.png"), "-o", out, "--quiet"}, {file("cut.png")});
  for (const char* at : {"200", "-1", "0,x", "", "1,,2", "1e1", "3,"})
    expect_error(2, {"noise", file("image.png"), "-o", out, "--at", at}, {"--at", "0 to 199"});
  expect_error(2, {"noise", file("image.png"), "-o", out, "--size", "0"}, {"--size"});
  expect_error(2, {"noise", file("image.png"), "-o", out, "--size", "5000"}, {"--size"});
  expect_error(2, {"noise", file("image.png"), "-o", out, "--schedule", "straight"}, {"linear", "cosine"});
  expect_error(2, {"noise", file("image.png"), "-o", out, "--beta-end", "1.5"}, {"beta"});
  expect_error(2, {"noise", file("image.png"), "-o", out, "--timesteps", "0"}, {"--timesteps"});
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace diffusion
