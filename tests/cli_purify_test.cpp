// The commands "purify", "attack" and "eval-robustness" through the real binary.

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "eval/classifier_files.h"
#include "files/fs.h"
#include "formats/npy.h"
#include "formats/npy_writer.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

class CliPurify : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    cli::write_model(file("model"), cli::tiny_model());
    const ClassifierConfig config{{8, 8}, 1, {"Alpha", "beta", "gamma ray"}, {8, 16}, 1, 4};
    write_feature_network(file("classifier"), make_classifier(config, 1),
                          Json::Object{{"data", file("pictures")}});
    ClassifierConfig named = config;
    named.class_names = {"x", "y", "z"};
    write_feature_network(file("named"), make_classifier(named, 1), nullptr);
    ClassifierConfig wide = config;
    wide.sample_size = {8, 16};
    write_feature_network(file("wide"), make_classifier(wide, 1), nullptr);
    int number = 0;
    for (const char* name : {"Alpha", "beta", "gamma ray"}) {
      fs::create_directories(fs::path(file("pictures")) / name);
      for (int k = 0; k < 4; ++k, ++number)
        write_png(fs::path(file("pictures")) / name / (std::to_string(k) + ".png"), speckled(number));
    }
    write_png(file("picture.png"), speckled(1));
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::string file(std::string_view name) { return (*folder_ / name).string(); }

  static Image speckled(int number) {
    Image image{8, 8, 1, {}};
    for (int k = 0; k < 64; ++k) image.pixels.push_back(std::uint8_t((k * (number + 5) * 37 + 11) % 251));
    return image;
  }
  static Arguments with(Arguments arguments, const Arguments& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  static Arguments purify_of(const Arguments& more) {
    return with({"purify", file("model"), file("picture.png"), "--threads", "1", "--quiet"}, more);
  }
  static Arguments attack_of(const Arguments& more) {
    return with(
        {"attack", file("classifier"), "--data", file("pictures"), "-n", "6", "--threads", "1", "--quiet"},
        more);
  }
  static Arguments robustness_of(const Arguments& more) {
    return with({"eval-robustness", file("model"), "-n", "6", "--threads", "1", "--quiet"}, more);
  }
  // Fails so, and writes nothing.
  static void refused(int code, const Arguments& arguments, const std::vector<std::string>& words) {
    expect_error(code, with(arguments, {"-o", file("refused.png")}), words);
    EXPECT_FALSE(fs::exists(file("refused.png")));
  }
  static inline std::unique_ptr<scratch::Folder> folder_;
};

TEST_F(CliPurify, PurifiesPicturesOneByOneAndTogether) {
  const Json json = json_of(run(purify_of({"--json", "--level", "0.4", "-o", file("clean.png")})));
  EXPECT_EQ(member(json, "level", "stdout"), Json(0.4));
  EXPECT_EQ(member(json, "steps", "stdout"), Json(1));
  EXPECT_EQ(member(json, "sampler", "stdout"), Json("ddpm"));
  EXPECT_EQ(read_image(file("clean.png")).width, 8);
  std::vector<std::uint8_t> two = speckled(0).pixels;
  const std::vector<std::uint8_t> second = speckled(1).pixels;
  two.insert(two.end(), second.begin(), second.end());
  write_npy(file("two.npy"), std::array<std::int64_t, 4>{2, 8, 8, 1}, two);
  const Arguments options{"--level", "0.4", "--steps", "2", "--seed", "3", "--threads", "1", "--quiet"};
  ASSERT_EQ(run(with({"purify", file("model"), file("two.npy"), "-o", file("both.npy")}, options)).code, 0);
  ASSERT_EQ(run(with({"purify", file("model"), file("picture.png"), "--first", "1", "-o", file("one.npy")},
                     options))
                .code,
            0);
  const std::vector<std::uint8_t> both = read_npy_uint8(file("both.npy")).data;
  EXPECT_EQ(read_npy_uint8(file("one.npy")).data, (std::vector<std::uint8_t>{both.begin() + 64, both.end()}));
}

TEST_F(CliPurify, RefusesLevelsThatTheModelDoesNotKnow) {
  for (const char* level : {"0", "-1", "1000000", "nan", "inf"})
    refused(2, purify_of({"--level", level}), {"--level", "accepted are those of the model"});
  refused(2, purify_of({"--spacing", "karras"}), {"--spacing"});
  refused(2, purify_of({"--label", "delta"}), {"delta", "Alpha"});
  refused(4, {"purify", file("model"), file("absent.png")}, {"absent.png"});
  write_file(file("text.png"), "no picture");
  refused(3, {"purify", file("model"), file("text.png")}, {"text.png"});
}

TEST_F(CliPurify, AttacksStayInTheBall) {
  const Json json = json_of(run(attack_of({"--json", "--eps", "4/255", "-o", file("attacked.npy")})));
  EXPECT_EQ(member(json, "count", "stdout"), Json(6));
  EXPECT_EQ(read_npy_uint8(file("attacked.npy")).dims, (std::vector<std::int64_t>{6, 8, 8, 1}));
  EXPECT_LE(to_double(member(json, "accuracy_after", "stdout"), "after"),
            to_double(member(json, "accuracy_before", "stdout"), "before"));
  EXPECT_EQ(run(attack_of({"--norm", "l2", "--eps", "0.5", "-o", file("l2.png")})).code, 0);
}

TEST_F(CliPurify, RefusesBadAttacks) {
  for (const char* eps : {"0", "-0.1", "1.5", "256/255", "nan", "8/0", "8/", "eight"})
    refused(2, attack_of({"--eps", eps}), {"--eps", "more than 0 and at most 1"});
  refused(2, attack_of({"--norm", "l1"}), {"l1", "linf, l2"});
  refused(2, {"attack", file("classifier"), "--data", file("pictures"), "-n", "1000"},
          {"1000", "12 pictures"});
  refused(2, attack_of({"--precision", "bf16"}), {"f32"});
  refused(2, {"attack", "no-such", "--data", file("pictures"), "-n", "4"}, {"no-such", "train-features"});
  refused(2, {"attack", file("named"), "--data", file("pictures"), "-n", "4"}, {"Alpha", "x, y, z"});
  refused(2, {"attack", file("wide"), "--data", file("pictures"), "-n", "4"}, {"8 x 16"});
  write_npy(file("array.npy"), std::array<std::int64_t, 4>{1, 8, 8, 1}, speckled(0).pixels);
  refused(2, {"attack", file("classifier"), "--data", file("array.npy"), "-n", "1"}, {"labels"});
}

TEST_F(CliPurify, EvaluatesRobustness) {
  const Arguments short_ones{
      "--classifier", file("classifier"), "--level", "0.3", "--attack-steps", "2", "--draws", "2"};
  const Json json = json_of(run(robustness_of(with(short_ones, {"--json"}))));
  EXPECT_EQ(member(json, "pictures", "stdout"), Json(6));
  EXPECT_EQ(to_array(member(json, "attacks", "stdout"), "attacks").size(), 4u);
  EXPECT_NE(to_string(member(json, "note", "stdout"), "note").find("no guarantee"), std::string::npos);
  const Outcome outcome = run(robustness_of(short_ones));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* words : {"classifier alone", "purified", "its noise known", "no guarantee of security"})
    EXPECT_NE(outcome.out.find(words), std::string::npos) << words;
}

TEST_F(CliPurify, RefusesSidesThatDoNotGoTogether) {
  const auto refused_robustness = [](const Arguments& more, const std::vector<std::string>& words) {
    expect_error(2, robustness_of(more), words);
  };
  const Arguments data{"--data", file("pictures")};
  refused_robustness(with({"--classifier", file("named")}, data), {"same classes", "Alpha", "x, y, z"});
  refused_robustness(with({"--classifier", file("wide")}, data), {"8 x 16"});
  refused_robustness({"--classifier", file("named")}, {"--data"});
  refused_robustness({"--classifier", file("classifier"), "--eps", "2"}, {"--eps", "at most 1"});
  refused_robustness({"--classifier", file("classifier"), "--level", "1e9"}, {"--level", "accepted are"});
  expect_error(2, {"eval-robustness", file("model"), "--classifier", file("classifier"), "-n", "7"},
               {"--level", "there are 5", "88 or more"});
  refused_robustness({"--classifier", file("classifier"), "--precision", "bf16"}, {"f32"});
  refused_robustness({"--classifier", file("classifier"), "--first", "1"}, {"--first"});
}

}  // namespace
}  // namespace diffusion
