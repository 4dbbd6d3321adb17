#include "words/train_tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;

std::vector<std::string> merges_of(const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  std::vector<std::string> merges;
  for (const Merge& merge : vocabulary.merges)
    merges.push_back(vocabulary.tokens[std::size_t(merge.left)] + " " +
                     vocabulary.tokens[std::size_t(merge.right)]);
  return merges;
}

TEST(TrainTokenizer, MergesTheMostFrequentPairAndOfEqualOnesTheOldest) {
  // b c occurs 5 times, a b 4; then a bc and bc d</w>, twice each, of which a is older than bc.
  const std::vector<std::string> captions{"abcd", "abcd", "bcx bcy bcz", "abq abr"};
  EXPECT_EQ(merges_of(train_tokenizer(captions)),
            (std::vector<std::string>{"b c", "a b", "a bc", "abc d</w>"}));
  EXPECT_EQ(merges_of(train_tokenizer(captions, {kSmallestVocabulary + 1})),
            (std::vector<std::string>{"b c"}));
  EXPECT_EQ(merges_of(train_tokenizer(captions, {kSmallestVocabulary})), std::vector<std::string>{});
  EXPECT_EQ(merges_of(train_tokenizer(captions, {4096, 5})), (std::vector<std::string>{"b c"}));
}

TEST(TrainTokenizer, CountsAPairInARowOnceForEachTimeItIsMerged) {
  EXPECT_EQ(merges_of(train_tokenizer(std::vector<std::string>{"aaaaaaaab"}, {4096, 1})),
            (std::vector<std::string>{"a a", "aa aa", "aaaa b</w>", "aaaa aaaab</w>"}));
}

TEST(TrainTokenizer, HasTheIdsOfClip) {
  const Vocabulary vocabulary = train_tokenizer(std::vector<std::string>{"ab", "ab"}).vocabulary();
  ASSERT_EQ(vocabulary.tokens.size(), 515u);
  EXPECT_EQ(vocabulary.tokens[0], "!");
  EXPECT_EQ(vocabulary.tokens[255], "\u0143");
  EXPECT_EQ(vocabulary.tokens[256], "!</w>");
  EXPECT_EQ(vocabulary.tokens[512], "ab</w>");
  EXPECT_EQ(vocabulary.tokens[513], "<|startoftext|>");
  EXPECT_EQ(vocabulary.tokens[514], "<|endoftext|>");
  EXPECT_EQ(vocabulary.start.id, 513);
  for (const SpecialToken& token : {vocabulary.end, vocabulary.padding, vocabulary.unknown})
    EXPECT_EQ(token.id, 514);
  EXPECT_EQ(vocabulary.max_length, 77);
}

TEST(TrainTokenizer, DoesNotDependOnTheOrderOfCaptions) {
  std::vector<std::string> captions;
  for (int i = 0; i < 500; ++i)
    captions.push_back("word" + std::to_string(i * i % 97) + " of" +
                       std::string(std::size_t(i % 7), char('a' + i % 5)) + "er");
  const Tokenizer first = train_tokenizer(captions, {700});
  EXPECT_EQ(train_tokenizer(captions, {700}), first);
  std::ranges::reverse(captions);
  EXPECT_EQ(train_tokenizer(captions, {700}), first);
}

TEST(TrainTokenizer, KeepsTheWordsAndCanSpellOthers) {
  const Tokenizer tokenizer = train_tokenizer(std::vector<std::string>{"A cat.", "<|endoftext|> it's", ""});
  EXPECT_EQ(tokenizer.vocabulary().known_words, (std::vector<std::string>{"'s", ".", "a", "cat", "it"}));
  const std::string other = "d\u00f6g \U0001f600";
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(other)), other);
  EXPECT_EQ(train_tokenizer({}).size(), std::size_t(kSmallestVocabulary));
}

TEST(TrainTokenizer, RefusesSettingsAndCaptionsThatCannotWork) {
  const auto refused = [](TokenizerTraining settings, std::vector<std::string> captions) {
    return error_of(ErrorKind::usage, [&] { train_tokenizer(captions, settings); });
  };
  EXPECT_NE(refused({kSmallestVocabulary - 1}, {}).find("vocabulary is 513; accepted is 514 or more"),
            std::string::npos);
  EXPECT_NE(refused({600, 0}, {}).find("least_count is 0"), std::string::npos);
  EXPECT_NE(refused({600, 2, 1}, {}).find("max_length is 1"), std::string::npos);
  EXPECT_NE(refused({}, {"a", "b\xc0"}).find("Caption 1: The text is not UTF-8: byte 1 of 2"),
            std::string::npos);
}

}  // namespace
}  // namespace diffusion
