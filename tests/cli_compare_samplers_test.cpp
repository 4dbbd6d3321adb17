// diffusion compare-samplers through the real binary.

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

class CompareSamplers : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    cli::write_model(file("model"), cli::tiny_model());
    cli::write_model(file("flow"), cli::tiny_model({.preconditioner = Preconditioner(RectifiedFlow{})}));
    cli::write_model(file("rgb"), cli::tiny_model({.channels = 3, .guidance = false}));
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::string file(std::string_view name) { return (*folder_ / name).string(); }

  static Arguments compare(const std::string& model, const Arguments& more,
                           const std::string& reference_steps = "60") {
    Arguments all{"compare-samplers",  file(model),     "-n",     "2",
                  "--reference-steps", reference_steps, "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static inline std::unique_ptr<scratch::Folder> folder_;
};

double number(const Json& cell, const char* field) {
  return to_double(member(cell, field, "cell"), field);
}

TEST_F(CompareSamplers, TellsEvaluationsTimeAndDistanceOfEveryCell) {
  const Json json = json_of(run(
      compare("model", {"--samplers", "ddim,heun,ddpm", "--steps", "4,40", "--json", "--precision", "f32"})));
  EXPECT_EQ(member(json, "images", "json"), Json(2));
  EXPECT_TRUE(member(json, "output", "json").is_null());
  EXPECT_EQ(number(member(json, "reference", "json"), "evaluations"), 119);
  const Json::Array& cells = to_array(member(json, "cells", "json"), "cells");
  ASSERT_EQ(cells.size(), 6u);
  const std::vector<std::string> names{"ddim", "ddim", "heun", "heun", "ddpm", "ddpm"};
  const std::vector<int> steps{4, 40, 4, 40, 4, 40}, evaluations{4, 40, 7, 79, 4, 40};
  for (std::size_t k = 0; k < 6; ++k) {
    EXPECT_EQ(member(cells[k], "sampler", "cell"), Json(names[k]));
    EXPECT_EQ(number(cells[k], "steps"), steps[k]);
    EXPECT_EQ(number(cells[k], "evaluations"), evaluations[k]);
    EXPECT_GT(number(cells[k], "seconds_per_image"), 0);
    EXPECT_EQ(member(cells[k], "rms_to_reference", "cell").is_null(), k >= 4);
  }
  for (const std::size_t k : {0, 2})  // more steps are nearer
    EXPECT_LT(number(cells[k + 1], "rms_to_reference"), number(cells[k], "rms_to_reference"));
  EXPECT_LT(number(cells[3], "rms_to_reference"), 0.02);
}

TEST_F(CompareSamplers, DrawsATable) {
  const auto picture = [&](const std::string& model, const Arguments& more) {
    Arguments all{"compare-samplers", file(model),         "-n", "2", "-o",
                  file("sheet.png"),  "--reference-steps", "3"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run(all);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return std::pair(read_image(file("sheet.png")), outcome.out);
  };
  const auto [one, table] = picture("model", {"--samplers", "ddim", "--steps", "2"});
  EXPECT_NE(table.find("ddim"), std::string::npos) << table;
  const auto [wide, _1] = picture("model", {"--samplers", "ddim", "--steps", "2,3,4"});
  const auto [high, _2] = picture("model", {"--samplers", "ddim,unipc,euler", "--steps", "2"});
  EXPECT_GT(wide.width, one.width);
  EXPECT_EQ(wide.height, one.height);
  EXPECT_GT(high.height, one.height);
  EXPECT_EQ(one.channels, 1);
  EXPECT_EQ(picture("rgb", {"--samplers", "ddim", "--steps", "2"}).first.channels, 3);
  const std::string of_flow = picture("flow", {"--steps", "2"}).second;  // the usual samplers
  for (const char* row : {"euler", "flow_heun", "ipndm", "ddpm"})
    EXPECT_NE(of_flow.find(row), std::string::npos) << row;
}

TEST_F(CompareSamplers, LabelsGuidanceAndSpacingAreThoseOfSample) {
  const auto distance = [&](const Arguments& more) {
    Arguments all = compare("model", {"--samplers", "ddim", "--steps", "4", "--json"}, "10");
    all.insert(all.end(), more.begin(), more.end());
    return number(to_array(member(json_of(run(all)), "cells", "json"), "cells")[0], "rms_to_reference");
  };
  const double usual = distance({});
  EXPECT_EQ(distance({}), usual);
  EXPECT_NE(distance({"--label", "BETA"}), usual);
  EXPECT_NE(distance({"--guidance", "3"}), usual);
  EXPECT_NE(distance({"--spacing", "karras"}), usual);
  EXPECT_NE(distance({"--seed", "4"}), usual);
}

TEST_F(CompareSamplers, WrongInputIsRefusedBeforeTheWork) {
  const auto refuses = [&](const Arguments& more, const std::vector<std::string>& words, int code = 2) {
    expect_error(code, compare("model", more), words);
  };
  refuses({"--samplers", "ddim,flow_euler"}, {"flow_euler", "ddim", "unipc"});
  refuses({"--samplers", ""}, {"Unknown sampler \"\"", "ddim"});
  refuses({"--steps", "10,0"}, {"--steps", "0"});
  refuses({"--steps", "ten"}, {"--steps", "ten"});
  refuses({"--steps", "101"}, {"101", "100"});  // more than there are timesteps
  refuses({"-n", "0"}, {"0"});
  refuses({"-o", file("sheet.gif")}, {"sheet.gif", ".png"});
  refuses({"-o", file("nowhere/sheet.png")}, {"nowhere"}, 4);
  refuses({"--spacing", "even"}, {"even", "karras"});
  refuses({"--label", "delta"}, {"delta", "gamma ray"});
  refuses({"--guide", file("flow")}, {"--guide", "--guidance"});
  refuses({"--guidance", "2", "--guide", file("nothing")}, {"nothing"}, 3);
  expect_error(3, {"compare-samplers", file("nothing")}, {"nothing"});
  EXPECT_FALSE(fs::exists(file("sheet.gif")));
}

}  // namespace
}  // namespace diffusion
