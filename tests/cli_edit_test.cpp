// The commands "edit", "invert", "interpolate" and "restore" through the real binary.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "files/fs.h"
#include "formats/npy.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

Image checkered(int side, std::uint8_t bright) {
  Image image{side, side, 1, {}};
  for (int k = 0; k < side * side; ++k) image.pixels.push_back((k / side + k) % 2 == 0 ? bright : 20);
  return image;
}

Image half(int side, std::uint8_t upper) {
  Image image{side, side, 1, std::vector<std::uint8_t>(std::size_t(side) * std::size_t(side), 255 - upper)};
  std::fill_n(image.pixels.begin(), side * side / 2, upper);
  return image;
}

class CliEdit : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    cli::write_model(file("model"), cli::tiny_model());
    write_png(file("picture.png"), checkered(8, 200));
    write_png(file("large.png"), checkered(16, 200));
    write_png(file("mask.png"), half(8, 255));
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::string file(std::string_view name) { return (*folder_ / name).string(); }

  static Arguments with(Arguments arguments, const Arguments& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  static Arguments edit_of(const Arguments& more) {
    return with({"edit", file("model"), file("picture.png"), "--quiet"}, more);
  }
  static Arguments restore_of(const Arguments& more) {
    return with({"restore", file("model"), file("picture.png"), "--quiet"}, more);
  }
  static std::vector<std::uint8_t> bytes_of(const std::string& name) {
    return read_npy_uint8(file(name)).data;
  }

  // Fails so, and writes nothing.
  static void refused(int code, const Arguments& arguments, const std::vector<std::string>& words) {
    expect_error(code, with(arguments, {"-o", file("refused.png")}), words);
    EXPECT_FALSE(fs::exists(file("refused.png")));
  }
  static inline std::unique_ptr<scratch::Folder> folder_;
};

TEST_F(CliEdit, StrengthZeroIsThePictureAndOneIsASample) {
  ASSERT_EQ(run(edit_of({"--strength", "0", "-o", file("zero.png")})).code, 0);
  EXPECT_EQ(read_image(file("zero.png")), checkered(8, 200));
  const Arguments sampling{"--seed", "3", "--steps", "4", "--label", "beta", "--quiet"};
  ASSERT_EQ(run(edit_of(with(sampling, {"--strength", "1", "-o", file("one.npy")}))).code, 0);
  ASSERT_EQ(run(with({"sample", file("model"), "-n", "1", "-o", file("sample.npy")}, sampling)).code, 0);
  EXPECT_EQ(bytes_of("one.npy"), bytes_of("sample.npy"));
  ASSERT_EQ(run(edit_of({"--strength", "1", "--steps", "4", "-o", file("none.npy")})).code, 0);
  ASSERT_EQ(run({"sample", file("model"), "-n", "1", "--steps", "4", "--label", "none", "-o",
                 file("none2.npy"), "--quiet"})
                .code,
            0);
  EXPECT_EQ(bytes_of("none.npy"), bytes_of("none2.npy")) << "no class unless one is given";
}

TEST_F(CliEdit, PicturesOfAnySizeAndChannelsBecomeTheModels) {
  Image color{20, 12, 4, std::vector<std::uint8_t>(20 * 12 * 4, 90)};
  write_png(file("color.png"), color);
  const Json json = json_of(run({"edit", file("model"), file("color.png"), "--variations", "3", "--steps",
                                 "4", "--quiet", "--json", "-o", file("variations")}));
  EXPECT_EQ(member(json, "count", "stdout"), Json(3));
  EXPECT_EQ(read_image(file("variations/000002.png")).width, 8);
  EXPECT_NE(read_image(file("variations/000002.png")), read_image(file("variations/000001.png")));
}

TEST_F(CliEdit, KnownPixelsStayToTheByte) {
  ASSERT_EQ(run(edit_of({"--mask", file("mask.png"), "--steps", "4", "--jump", "2", "--resample", "2", "-o",
                         file("painted.png")}))
                .code,
            0);
  const Image painted = read_image(file("painted.png")), picture = checkered(8, 200);
  EXPECT_TRUE(std::ranges::equal(std::span(painted.pixels).last(32), std::span(picture.pixels).last(32)));
  EXPECT_FALSE(std::ranges::equal(std::span(painted.pixels).first(32), std::span(picture.pixels).first(32)));
}

TEST_F(CliEdit, RefusesBadStrengthsAndMasks) {
  for (const char* strength : {"-0.1", "1.01", "nan"})
    refused(2, edit_of({"--strength", strength}), {"--strength", "0 (the picture) to 1"});
  write_png(file("small.png"), half(4, 255));
  refused(3, edit_of({"--mask", file("small.png")}), {"small.png", "4 x 4", "8 x 8"});
  write_png(file("black.png"), Image{8, 8, 1, std::vector<std::uint8_t>(64, 0)});
  refused(3, edit_of({"--mask", file("black.png")}), {"black.png", "all black"});
  write_png(file("white.png"), Image{8, 8, 1, std::vector<std::uint8_t>(64, 255)});
  refused(3, edit_of({"--mask", file("white.png")}), {"white.png", "all white"});
  refused(3, edit_of({"--mask", file("picture.png")}), {"picture.png", "200", "0 (black, kept) and 255"});
  write_png(file("clear.png"), Image{8, 8, 4, std::vector<std::uint8_t>(256, 100)});
  refused(3, edit_of({"--mask", file("clear.png")}), {"clear.png", "black"});
  refused(2, edit_of({"--jump", "3"}), {"--jump", "--mask"});
  refused(2, edit_of({"--label", "delta"}), {"delta", "Alpha, beta, gamma ray, none"});
  refused(2, edit_of({"--sampler", "none"}), {"none", "ddim"});
  refused(4, {"edit", file("model"), file("absent.png")}, {"absent.png"});
  write_file(file("text.png"), "no picture");
  refused(3, {"edit", file("model"), file("text.png")}, {"text.png"});
  expect_error(2, edit_of({"-o", file("film.gif")}), {"film.gif", ".png"});
}

TEST_F(CliEdit, RefusesPicturesForModelsOfOtherChannels) {
  cli::write_model(file("two"), cli::tiny_model({.channels = 2}));
  refused(2, {"edit", file("two"), file("picture.png")}, {"2 channels", "1, 3 or 4"});
  refused(2, {"restore", file("two"), file("picture.png"), "--task", "blur"}, {"2 channels", "1, 3 or 4"});
}

TEST_F(CliEdit, RefusesModelsThatDoNotTellTheSizeOfTheirImages) {
  Model model = cli::tiny_model();
  std::get<UNetConfig>(model.network).sample_size = {0, 0};
  cli::write_model(file("sizeless"), model);
  for (const Arguments& command : {Arguments{"edit"}, Arguments{"restore", "--task", "blur"}})
    refused(2, with(command, {file("sizeless"), file("picture.png")}), {"sample_size"});
}

TEST_F(CliEdit, InversionIsNoiseForSample) {
  for (const char* sampler : {"heun", "ddim"}) {
    const Json json = json_of(run({"invert", file("model"), file("large.png"), "--sampler", sampler,
                                   "--steps", "5", "-o", file("noise.npy"), "--json", "--quiet"}));
    EXPECT_EQ(member(json, "sampler", "stdout"), Json(sampler));
    EXPECT_EQ(read_npy_float32(file("noise.npy")).dims, (std::vector<std::int64_t>{1, 1, 8, 8}));
    EXPECT_EQ(run({"sample", file("model"), "--noise", file("noise.npy"), "--sampler", sampler, "--steps",
                   "5", "--label", "none", "-o", file("again.png"), "--quiet"})
                  .code,
              0);
  }
  expect_error(2,
               {"invert", file("model"), file("picture.png"), "--sampler", "ddpm", "-o", file("refused.npy")},
               {"ddpm", "ddim and euler", "heun"});
  expect_error(2, {"invert", file("model"), file("picture.png"), "-o", file("refused.png")}, {".npy"});
  EXPECT_FALSE(fs::exists(file("refused.npy")));
}

TEST_F(CliEdit, InterpolationEndsInItsEnds) {
  const Arguments sampling{"--steps", "3", "--label", "beta", "--quiet"};
  ASSERT_EQ(
      run(with({"interpolate", file("model"), "5", "6", "--frames", "4", "-o", file("row.npy")}, sampling))
          .code,
      0);
  const std::vector<std::uint8_t> row = bytes_of("row.npy");
  ASSERT_EQ(row.size(), 4u * 64);
  for (const auto& [seed, frame] : {std::pair{"5", 0}, {"6", 3}}) {
    ASSERT_EQ(
        run(with({"sample", file("model"), "-n", "1", "--seed", seed, "-o", file("end.npy")}, sampling)).code,
        0);
    EXPECT_TRUE(std::ranges::equal(bytes_of("end.npy"), std::span(row).subspan(std::size_t(frame) * 64, 64)))
        << seed;
  }
  EXPECT_EQ(run({"interpolate", file("model"), "Alpha", "gamma ray", "--frames", "3", "--steps", "3", "-o",
                 file("film.gif"), "--quiet"})
                .code,
            0);
  ASSERT_EQ(run({"interpolate", file("model"), "none", "beta", "--frames", "2", "--steps", "3", "-o",
                 file("ends.npy"), "--quiet"})
                .code,
            0);
  ASSERT_EQ(run({"sample", file("model"), "-n", "1", "--label", "none", "--steps", "3", "-o", file("end.npy"),
                 "--quiet"})
                .code,
            0);
  const std::vector<std::uint8_t> ends = bytes_of("ends.npy");
  EXPECT_TRUE(std::ranges::equal(bytes_of("end.npy"), std::span(ends).first(64)));
  expect_error(2, {"interpolate", file("model"), "1", "2", "--columns", "2", "-o", file("film.gif")},
               {"--columns"});
  EXPECT_EQ(run({"interpolate", file("model"), file("picture.png"), file("large.png"), "--frames", "3",
                 "--steps", "3", "-o", file("row.png"), "--quiet"})
                .code,
            0);
  refused(2, {"interpolate", file("model"), "1", "beta"}, {"not of one kind", "two seeds"});
  refused(2, {"interpolate", file("model"), "delta", "beta"}, {"delta", "Alpha"});
  refused(2, {"interpolate", file("model"), "1", "2", "--frames", "1"}, {"--frames"});
}

TEST_F(CliEdit, RestoresWithEveryMethodAndTask) {
  for (const char* method : {"ddnm", "ddrm", "dps", "pigdm"})
    for (const Arguments& task :
         {Arguments{"--task", "mask", "--mask", file("mask.png")}, Arguments{"--task", "upscale-2"},
          Arguments{"--task", "upscale-4", "--sigma", "0.05"}, Arguments{"--task", "blur"},
          Arguments{"--task", "denoise", "--sigma", "0.1"}}) {
      const Outcome outcome =
          run(restore_of(with(task, {"--method", method, "--steps", "3", "-o", file("restored.png")})));
      EXPECT_EQ(outcome.code, 0) << method << " " << task[1] << ": " << outcome.err;
    }
  EXPECT_EQ(read_image(file("restored.png")).width, 8);
}

// The means of blocks of the result are the small picture, but for rounding and what the range of pixels cuts
// off.
TEST_F(CliEdit, DdnmKeepsWhatWasMeasured) {
  Image small{4, 4, 1, {}};
  for (int k = 0; k < 16; ++k) small.pixels.push_back(std::uint8_t(100 + 3 * k));
  write_png(file("four.png"), small);
  ASSERT_EQ(run({"restore", file("model"), file("four.png"), "--task", "upscale-2", "--steps", "8", "-o",
                 file("eight.png"), "--quiet"})
                .code,
            0);
  const Image large = read_image(file("eight.png"));
  int clamped = 0;
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 4; ++x) {
      double mean = 0;
      bool inside = true;
      for (const int at : {16 * y + 2 * x, 16 * y + 2 * x + 1, 16 * y + 2 * x + 8, 16 * y + 2 * x + 9}) {
        mean += large.pixels[std::size_t(at)] / 4.0;
        inside &= large.pixels[std::size_t(at)] > 0 && large.pixels[std::size_t(at)] < 255;
      }
      clamped += inside ? 0 : 1;
      if (inside) {
        EXPECT_LE(std::abs(mean - small.pixels[std::size_t(4 * y + x)]), 1) << x << ", " << y;
      }
    }
  EXPECT_LT(clamped, 16);
}

TEST_F(CliEdit, RestoresAnyLinearMeasurement) {
  std::vector<float> rows(2 * 64, 0);
  for (std::size_t k = 0; k < 64; ++k) rows[k < 32 ? k : 64 + k] = 1.0F / 32;
  const auto write = [&](const std::string& name, std::int64_t m, std::vector<float> values) {
    write_npy(file(name), std::vector<std::int64_t>{m, std::int64_t(values.size()) / m}, values);
    return file(name);
  };
  const std::string a = write("a.npy", 2, rows), y = write("y.npy", 1, {0.5F, -0.5F});
  EXPECT_EQ(
      run({"restore", file("model"), y, "--task", a, "--steps", "3", "-o", file("any.png"), "--quiet"}).code,
      0);
  refused(3, {"restore", file("model"), write("y3.npy", 1, {1, 2, 3}), "--task", a},
          {"y3.npy", "[1, 3]", "[N, 2]"});
  refused(3, {"restore", file("model"), write("nan.npy", 1, {1, std::nanf("")}), "--task", a},
          {"nan.npy", "NaN"});
  std::vector<float> same(2 * 64, 1);
  refused(3, {"restore", file("model"), y, "--task", write("same.npy", 2, same)},
          {"same.npy", "singular", "1 of its 2"});
  rows[3] = INFINITY;
  refused(3, {"restore", file("model"), y, "--task", write("inf.npy", 2, rows)}, {"inf.npy", "infinity"});
  refused(3, {"restore", file("model"), y, "--task", write("short.npy", 2, {1, 2, 3, 4})},
          {"short.npy", "[M, 64]"});
}

TEST_F(CliEdit, RefusesTasksThatCannotBe) {
  refused(2, restore_of({"--task", "sharpen"}), {"sharpen", "upscale-2", ".npy"});
  refused(2, restore_of({"--task", "mask"}), {"--mask"});
  refused(2, restore_of({"--task", "blur", "--mask", file("mask.png")}), {"--mask is for"});
  refused(2, restore_of({"--task", "denoise"}), {"--sigma"});
  for (const char* sigma : {"-1", "nan", "inf"})
    refused(2, restore_of({"--task", "blur", "--sigma", sigma}), {"--sigma"});
  refused(2, restore_of({"--task", "gray"}), {"1 channels", "3"});
  refused(2, restore_of({"--task", "blur", "--method", "magic"}), {"magic", "ddnm"});
  refused(2, restore_of({"--task", "blur", "--renewed", "2"}), {"--renewed", "0 to 1"});
  refused(2, restore_of({"--task", "blur", "--method", "dps", "--dps-step", "0"}), {"dps_step"});
  refused(2, restore_of({}), {"--task"});
}

}  // namespace
}  // namespace diffusion
