// Against transformers 5.24.0: tests/golden/make_words_goldens.py.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "files/fs.h"
#include "formats/json.h"
#include "support/scratch.h"
#include "words/tokenizer_files.h"
#include "words/train_tokenizer.h"

namespace diffusion {
namespace {

Json words_golden() {
  const auto path = std::filesystem::path(DIFFUSION_SOURCE_DIR) / "tests/golden/words.json";
  return parse_json(read_text_file(path, 1 << 20), "words.json");
}

std::vector<std::string> texts_of(const Json& array) {
  std::vector<std::string> texts;
  for (const Json& text : to_array(array, "words.json")) texts.push_back(to_string(text, "words.json"));
  return texts;
}

std::vector<int> ids_of(const Json& array) {
  std::vector<int> ids;
  for (const Json& id : to_array(array, "words.json")) ids.push_back(int(to_int(id, "words.json")));
  return ids;
}

Tokenizer golden_tokenizer(const Json& golden) {
  const int vocabulary = int(to_int(member(golden, "vocabulary", "words.json"), "vocabulary"));
  return train_tokenizer(texts_of(member(golden, "captions", "words.json")), {vocabulary});
}

TEST(TokenizerGolden, LearnsTheMergesThatAnotherProgramLearns) {
  const Json golden = words_golden();
  const Vocabulary vocabulary = golden_tokenizer(golden).vocabulary();
  const Json::Array& merges = to_array(member(golden, "merges", "words.json"), "merges");
  ASSERT_EQ(vocabulary.merges.size(), merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const auto [left, right, merged] = vocabulary.merges[i];
    const std::vector<std::string> learned{vocabulary.tokens[std::size_t(left)],
                                           vocabulary.tokens[std::size_t(right)]};
    EXPECT_EQ(learned, texts_of(merges[i])) << "merge " << i;
  }
  EXPECT_EQ(vocabulary.known_words, texts_of(member(golden, "words", "words.json")));
}

TEST(TokenizerGolden, EncodesAndDecodesAsTransformersDoes) {
  const Json golden = words_golden();
  const Tokenizer tokenizer = golden_tokenizer(golden);
  const Json::Array& strings = to_array(member(golden, "strings", "words.json"), "strings");
  ASSERT_GT(strings.size(), 150u);
  for (const Json& string : strings) {
    const std::string& text = to_string(member(string, "text", "words.json"), "text");
    const std::vector<int> ids = ids_of(member(string, "ids", "words.json"));
    EXPECT_EQ(tokenizer.encode(text), ids) << text;
    EXPECT_EQ(tokenizer.decode(ids), to_string(member(string, "decoded", "words.json"), "decoded")) << text;
  }
}

TEST(TokenizerGolden, PadsAsTransformersDoes) {
  const Json golden = words_golden();
  const Tokenizer tokenizer = golden_tokenizer(golden);
  const std::string caption = texts_of(member(golden, "captions", "words.json")).front();
  for (const Json& expected : to_array(member(golden, "padded", "words.json"), "padded")) {
    const int length = int(to_int(member(expected, "length", "words.json"), "length"));
    const PaddedTokens padded = tokenizer.encode_padded(caption, length);
    EXPECT_EQ(padded.ids, ids_of(member(expected, "ids", "words.json")));
    EXPECT_EQ(padded.used, to_int(member(expected, "used", "words.json"), "used"));
    EXPECT_EQ(std::size_t(padded.used + padded.cut), tokenizer.encode(caption).size());
  }
}

}  // namespace
}  // namespace diffusion
