// The command "noise" through the real binary.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cli_program.h"
#include "diffusion/schedule.h"
#include "io/fs.h"
#include "io/image.h"
#include "io/npy.h"
#include "io/scratch.h"

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
  EXPECT_EQ(row.height, 128);
  EXPECT_EQ(row.channels, 3);
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
