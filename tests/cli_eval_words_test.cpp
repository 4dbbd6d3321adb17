// diffusion train-features --captions and diffusion eval --captions through the real binary.

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "eval/classifier_files.h"
#include "files/fs.h"
#include "formats/npy.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

constexpr int kSide = 16, kPictures = 6;
constexpr std::array<const char*, kPictures> kCaptions{"red square", "red bar",     "green square",
                                                       "green bar",  "blue square", "blue bar"};
constexpr int kHeldOut = 4;  // the others are for training, in their order

Image picture(int number) {
  Image image{kSide, kSide, 3, std::vector<std::uint8_t>(kSide * kSide * 3, 255)};
  for (int y = 4; y < 12; ++y)
    for (int x = number % 2 == 0 ? 4 : 7; x < (number % 2 == 0 ? 12 : 9); ++x)
      for (int c = 0; c < 3; ++c)
        image.pixels[std::size_t((y * kSide + x) * 3 + c)] = c == number / 2 ? 200 : 20;
  return image;
}

class EvalWords : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<scratch::Folder>();
    fs::create_directory(file("pictures"));
    std::string table = "file\tname\n";
    for (int k = 0; k < kPictures; ++k) {
      const std::string name = std::to_string(k) + ".png";
      write_png(*folder_ / "pictures" / name, picture(k));
      table += name + "\t" + kCaptions[std::size_t(k)] + "\n";
    }
    write_file(file("pictures/names.tsv"), table);
    write_file(file("held-out.txt"), "pictures/" + std::to_string(kHeldOut) + ".png\n");
    write_drawings("perfect.npy", {0, 1, 2, 3, 5, 4});
    write_drawings("shifted.npy", {1, 2, 3, 5, 0, 5});
    trained_ =
        run({"train-features", "--data", file("pictures"), "--captions", file("pictures/names.tsv"), "-o",
             file("judge"), "--size", "8", "--epochs", "900", "--threads", "1", "--quiet", "--json"});
  }
  static void TearDownTestSuite() { folder_.reset(); }
  static std::string file(std::string_view name) { return (*folder_ / name).string(); }

  // The pictures with these numbers: what a model drew, training captions first.
  static void write_drawings(const char* name, const std::vector<int>& numbers) {
    std::vector<std::uint8_t> pixels;
    for (const int k : numbers) {
      const Image image = picture(k);
      pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
    }
    write_npy(file(name), std::array<std::int64_t, 4>{int(numbers.size()), kSide, kSide, 3}, pixels);
  }
  static Arguments eval(const Arguments& more) {
    Arguments all{
        "eval",      "--data", file("pictures"), "--captions", file("pictures/names.tsv"), "--quiet",
        "--threads", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static Arguments judged(const Arguments& more) {
    Arguments all = eval(more);
    all.insert(all.end(), {"--features", file("judge"), "--held-out-list", file("held-out.txt")});
    return all;
  }
  static double recall(const Json& report, const char* group, const char* which) {
    return to_double(member(member(member(member(report, group, "json"), which, "group"), "r_at_1", "recall"),
                            "value", "score"),
                     "value");
  }
  static inline std::unique_ptr<scratch::Folder> folder_;
  static inline Outcome trained_;
};

TEST_F(EvalWords, TheJudgeKnowsItsPictures) {
  const Json json = json_of(trained_);
  EXPECT_EQ(member(json, "captions", "json"), Json(kPictures));
  EXPECT_EQ(to_double(member(member(json, "pictures", "json"), "r_at_1", "json"), "share"), 1);
  const FeatureNetwork net = read_feature_network(file("judge"));
  EXPECT_EQ(net.classifier.config.class_names, std::vector<std::string>(kCaptions.begin(), kCaptions.end()));
  EXPECT_EQ(member(net.origin, "new_views", "json"), member(json, "new_views", "json"));
}

TEST_F(EvalWords, PerfectDrawings) {
  const Json json = json_of(run(judged({"--samples", file("perfect.npy"), "--json"})));
  EXPECT_EQ(recall(json, "training", "drawn"), 1);
  EXPECT_EQ(recall(json, "held_out", "drawn"), 1);
  EXPECT_EQ(recall(json, "held_out", "real"), 1);
  EXPECT_EQ(recall(json, "held_out", "class_per_caption"), 0);
  EXPECT_EQ(member(member(json, "training", "json"), "captions", "json"), Json(5));
  EXPECT_EQ(member(member(json, "held_out", "json"), "frechet_distance", "json"), Json(nullptr));  // of one
}

TEST_F(EvalWords, DrawingsOfOtherWords) {
  const Json json = json_of(run(judged({"--samples", file("shifted.npy"), "--json"})));
  EXPECT_EQ(recall(json, "training", "drawn"), 0);
  EXPECT_EQ(recall(json, "training", "real"), 1);
  EXPECT_EQ(recall(json, "held_out", "drawn"), 0);
}

TEST_F(EvalWords, AsText) {
  const Outcome outcome = run(judged({"--samples", file("perfect.npy")}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* word : {"5 training captions", "1 held-out captions", "R@1", "R@5", "frechet_distance",
                           "a class for each caption", "nearest real picture"})
    EXPECT_NE(outcome.out.find(word), std::string::npos) << word << "\n" << outcome.out;
}

TEST_F(EvalWords, OfAModel) {
  const Outcome trained = run({"train", "--preset", "words-64", "--data", file("pictures"), "--captions",
                               file("pictures/names.tsv"), "--size", "16", "--steps", "1", "--batch", "2",
                               "--quiet", "--out", file("run")});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Arguments arguments = judged(
      {file("run"), "--steps", "1", "--per-caption", "2", "--save-samples", file("saved.npy"), "--json"});
  const Json json = json_of(run(arguments));
  EXPECT_EQ(member(json, "steps", "json"), Json(1));
  EXPECT_EQ(member(member(json, "training", "json"), "pictures", "json"), Json(10));
  EXPECT_LT(recall(json, "training", "drawn"), 1);  // it has not learned anything
  EXPECT_EQ(read_npy_uint8(file("saved.npy")).dims[0], 12);
  const Json again = json_of(run(judged({"--samples", file("saved.npy"), "--per-caption", "2", "--json"})));
  EXPECT_EQ(member(again, "training", "json"), member(json, "training", "json"));
  EXPECT_EQ(member(again, "held_out", "json"), member(json, "held_out", "json"));
}

TEST_F(EvalWords, WithoutAHeldOutList) {
  write_drawings("all.npy", {0, 1, 2, 3, 4, 5});
  const Json json = json_of(run(eval({"--samples", file("all.npy"), "--features", file("judge"), "--json"})));
  EXPECT_EQ(recall(json, "training", "drawn"), 1);
  EXPECT_EQ(member(json, "held_out", "json"), Json(nullptr));
}

TEST_F(EvalWords, Refusals) {
  const std::string perfect = file("perfect.npy");
  // No judge of words: none at all, one of other classes, one that does not know all captions.
  expect_error(2, eval({"--samples", perfect}), {"feature network"});
  const ClassifierConfig other{{16, 16}, 3, {"shirt", "coat"}, {8, 16}, 1, 4};
  write_feature_network(file("other"), make_classifier(other, 1), nullptr);
  expect_error(2, eval({"--samples", perfect, "--features", file("other")}),
               {"does not know 6 of the 6 captions", "red square"});
  const ClassifierConfig gray{{16, 16}, 1, {"shirt", "coat"}, {8, 16}, 1, 4};
  write_feature_network(file("gray"), make_classifier(gray, 1), nullptr);
  expect_error(2, eval({"--samples", perfect, "--features", file("gray")}), {"3 channels"});
  // Models without words, drawings that are too few.
  cli::write_model(file("labels"), cli::tiny_model());
  expect_error(2, judged({file("labels")}), {"knows no words"});
  expect_error(2, judged({"--samples", perfect, "--per-caption", "2"}), {"6 pictures", "12"});
  expect_error(3,
               eval({"--samples", perfect, "--features", file("judge"), "--held-out-list",
                     file("pictures/names.tsv")}),
               {"names.tsv"});
  // Options that do not go together.
  for (const char* option : {"--classification-score", "--bits-per-dimension"})
    expect_error(2, judged({file("labels"), option}), {option, "--captions"});
  const Arguments plain{"eval", "--samples", perfect, "--data", file("pictures"), "--per-caption", "2"};
  expect_error(2, plain, {"--per-caption", "--captions"});
  expect_error(2,
               {"eval", "--samples", perfect, "--data", file("pictures"), "--captions", "names.txt",
                "--features", file("judge")},
               {"names.txt", ".tsv"});
  expect_error(2, {"train-features", "--data", file("pictures"), "-o", file("x"), "--offline"},
               {"no labels", "--captions"});
  expect_error(2, {"train-features", "--data", file("pictures"), "-o", file("x"), "--random-crop"},
               {"--random-crop"});
  EXPECT_FALSE(fs::exists(file("x")));
}

}  // namespace
}  // namespace diffusion
