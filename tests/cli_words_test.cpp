// The program with a network of words: training, a text encoder that is given, prompts.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include <diffusion/dataset.h>
#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "files/fs.h"
#include "support/scratch.h"
#include "support/small_words.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

constexpr int kCliSide = 8;

class CliWords : public ::testing::Test {
 protected:
  void SetUp() override {
    cli::write_model(folder_ / "words", fixtures::small_words_model(kCliSide));
    cli::write_model(folder_ / "labels", cli::tiny_model());
  }
  cli::Arguments sample(const std::string& model, const cli::Arguments& more) const {
    cli::Arguments all{"sample", (folder_ / model).string(),    "--steps", "2", "--quiet",
                       "-o",     (folder_ / "out.png").string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  const scratch::Folder folder_;
};

TEST_F(CliWords, APictureForEachPromptWithItsWords) {
  write_file(folder_ / "prompts.txt", "a dark square\n\na bright square\r\n");
  const cli::Outcome outcome = cli::run(
      sample("words", {"--prompt", "square", "--prompts", (folder_ / "prompts.txt").string(), "--json"}));
  EXPECT_EQ(to_int(member(cli::json_of(outcome), "count", "json"), "count"), 3);
  EXPECT_TRUE(fs::exists(folder_ / "out.png"));
}

TEST_F(CliWords, SaysWhatTheModelCannotSee) {
  EXPECT_NE(cli::run(sample("words", {"--prompt", "a dark walrus"})).err.find("walrus"), std::string::npos);
  EXPECT_NE(cli::run(sample("words", {"--prompt", ""})).err.find("without words"), std::string::npos);
  const std::string longer = "a dark square and a bright square and a dark square";
  EXPECT_NE(cli::run(sample("words", {"--prompt", longer})).err.find("left out"), std::string::npos);
}

TEST_F(CliWords, BadInputIsNamed) {
  cli::expect_error(2, sample("labels", {"--prompt", "a dark square"}), {"knows no words", "--prompt"});
  cli::expect_error(2, sample("words", {"--label", "1"}), {"classes"});
  cli::expect_error(2, sample("words", {"--prompt", "dark \xff square"}), {"UTF-8"});
  cli::expect_error(4, sample("words", {"--prompts", (folder_ / "absent.txt").string()}), {"absent.txt"});
  write_file(folder_ / "empty.txt", "\n\n");
  cli::expect_error(3, sample("words", {"--prompts", (folder_ / "empty.txt").string()}),
                    {"empty.txt", "line"});
  EXPECT_FALSE(fs::exists(folder_ / "out.png"));
}

TEST_F(CliWords, TrainsOnAFolderWithCaptions) {
  const Dataset squares = fixtures::gray_squares(6, kCliSide);
  for (int k = 0; k < 6; ++k) {
    const auto bytes = squares.image(k);
    const Image image{kCliSide, kCliSide, 1, {bytes.begin(), bytes.end()}};
    fs::create_directories(folder_ / "pictures");
    write_png(folder_ / "pictures" / (std::to_string(k) + ".png"), image);
    write_file(folder_ / "pictures" / (std::to_string(k) + ".txt"), std::string(squares.captions.text(k, 0)));
  }
  const cli::Arguments train{"train",
                             "--preset",
                             "words-64",
                             "--data",
                             (folder_ / "pictures").string(),
                             "--size",
                             "16",
                             "--steps",
                             "1",
                             "--batch",
                             "2",
                             "--quiet",
                             "--out",
                             (folder_ / "run").string()};
  const cli::Outcome outcome = cli::run(train);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(cli::run({"sample", (folder_ / "run").string(), "--prompt", "a dark square", "--steps", "1",
                      "--quiet", "-o", (folder_ / "drawn.png").string()})
                .code,
            0);
  // The encoder of that run for another one, which has its tokenizer.
  cli::Arguments given = train;
  given.back() = (folder_ / "given").string();
  given.insert(given.end(), {"--text-encoder", (folder_ / "run").string()});
  const cli::Outcome second = cli::run(given);
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_TRUE(fs::exists(folder_ / "given/hidden-states.safetensors"));
  for (const char* file : {"tokenizer/vocab.json", "text_encoder/model.safetensors"})
    EXPECT_EQ(read_text_file(folder_ / "given/latest" / file, 64 << 20),
              read_text_file(folder_ / "run/latest" / file, 64 << 20))
        << file;

  cli::Arguments without = train;
  without.insert(without.end(), {"--captions", "none"});
  cli::expect_error(2, without, {"--captions", "words"});
}

TEST_F(CliWords, ATextEncoderThatDoesNotFitIsNamed) {
  const auto train = [&](const cli::Arguments& more) {
    cli::Arguments all{"train", "--data", (folder_ / "absent").string(), "--steps",
                       "1",     "--out",  (folder_ / "run").string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const std::string words = (folder_ / "words").string(), labels = (folder_ / "labels").string();
  cli::expect_error(2, train({"--preset", "words-64", "--text-encoder", words, "--vocabulary", "600"}),
                    {"--vocabulary", "--text-encoder"});
  cli::expect_error(2, train({"--preset", "tiny", "--text-encoder", words}), {"--text-encoder", "words-64"});
  cli::expect_error(2, train({"--from", words, "--text-encoder", words}), {"--text-encoder", "--from"});
  cli::expect_error(3, train({"--preset", "words-64", "--text-encoder", labels}),
                    {"labels", "no text encoder"});
}

}  // namespace
}  // namespace diffusion
