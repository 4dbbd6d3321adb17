#include "words/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/scratch.h"
#include "words/byte_symbols.h"
#include "words/train_tokenizer.h"

namespace diffusion {
namespace {

using scratch::error_of;

Tokenizer small_tokenizer() {
  const std::vector<std::string> captions(3, "the red balloon, the table. it's");
  return train_tokenizer(captions, {600});
}

std::vector<std::string> words_in(std::string_view text) {
  std::vector<std::string> words;
  for (const TextPiece& piece : split_text(text, {})) words.push_back(piece.word);
  return words;
}

// The numbers are those of the Unicode standard; tests/golden/words.json has what transformers makes of more.
TEST(CleanText, ComposesAndLowersAndJoinsWhiteSpace) {
  EXPECT_EQ(clean_text(" A\t\n B "), " a b ");
  EXPECT_EQ(clean_text("Cafe\u0301"), "caf\u00e9");
  EXPECT_EQ(clean_text("q\u0307\u0323"), "q\u0323\u0307");  // marks in canonical order
  EXPECT_EQ(clean_text("\u1100\u1161\u11a8"), "\uac01");    // Hangul
  EXPECT_EQ(clean_text("\u0130\u03a3"), "i\u0307\u03c3");   // two characters; no final sigma
  EXPECT_EQ(clean_text("\u00a0\u2003\u3000"), " ");
  EXPECT_EQ(clean_text("\u180e\u200b\ufeff"), "\u180e\u200b\ufeff");  // no white space
  EXPECT_EQ(clean_text(std::string("\0\x1f", 2)), std::string("\0\x1f", 2));
}

// Where the tables of transformers are newer than libutf8proc's, or older.
TEST(CleanText, HasTheAgesOfUnicodeThatTransformersHas) {
  EXPECT_EQ(clean_text("\U00010d50\U00016eb8\ua7cb"), "\U00010d70\U00016ed3\u0264");  // Unicode 16, 17
  EXPECT_EQ(words_in("\U00010d50a\U0002ebf0"), words_in("\U00010d50a\U0002ebf0 "));
  EXPECT_EQ(words_in("\U00010d50a\U0002ebf0").size(), 1u);                // letters
  EXPECT_EQ(words_in("\U00010d40\U00010d41").size(), 2u);                 // digits
  EXPECT_EQ(clean_text("a\u0898\u0323"), "a\u0898\u0323");                // a mark of Unicode 14
  EXPECT_EQ(clean_text("\U00011935\U00011930"), "\U00011935\U00011930");  // of Unicode 13
  EXPECT_EQ(clean_text("\U00011938"), "\U00011938");
}

TEST(CleanText, OrdersManyMarksInNoTime) {
  std::string text = "a";
  for (int i = 0; i < 100000; ++i) text += i % 2 ? "\u0323" : "\u0301";
  EXPECT_EQ(clean_text(text).size(), 3 + 2 * 99999u);  // the first below makes one character of a
}

TEST(SplitText, MakesWordsOfLettersDigitsAndTheRest) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(words_in("The 2 cats' it's 3.14"),
            (Words{"the", "2", "cats", "'", "it", "'s", "3", ".", "1", "4"}));
  EXPECT_EQ(words_in("we'LL'd''s"), (Words{"we", "'ll", "'d", "''", "s"}));
  EXPECT_EQ(words_in("<|EndOfText|>!a<|endoftext|>"),
            (Words{"<|", "endoftext", "|>", "!", "a", "<|", "endoftext", "|>"}));
  EXPECT_EQ(words_in("!<|endoftext|>"), (Words{"!<|", "endoftext", "|>"}));
  EXPECT_EQ(words_in(" \t\u2028"), Words{});
}

TEST(SplitText, FindsSpecialTokensInTheTextOrInItsCleanForm) {
  const std::vector<SpecialText> specials{
      {"<|A|>", {7, false}}, {"<|A|>>", {8, false}}, {"<|B|>", {9, true}}};
  using Pieces = std::vector<TextPiece>;
  EXPECT_EQ(split_text("x<|A|>y<|A|>>", specials), (Pieces{{"x"}, {{}, 7}, {"y"}, {{}, 8}}));
  EXPECT_EQ(split_text("<|a|> <|b|>", specials), (Pieces{{"<|"}, {"a"}, {"|>"}, {{}, 9}}));
}

TEST(SplitText, SaysWhereATextIsNotUtf8) {
  for (const auto& [text, place] :
       std::vector<std::pair<std::string, std::string>>{{"ab\xff", "byte 2 of 3 is 0xff"},
                                                        {"\xc3", "byte 0 of 1 is 0xc3"},
                                                        {"\u00e9\xed\xa0\x80", "byte 2 of 5 is 0xed"}})
    EXPECT_NE(error_of(ErrorKind::usage, [&] { small_tokenizer().encode(text); }).find(place),
              std::string::npos);
}

TEST(MergeRules, TakeTheFirstRuleAndOfEqualOnesTheLeftmost) {
  const std::vector<Merge> merges{{0, 0, 1}, {1, 1, 2}, {3, 4, 5}, {4, 3, 6}};
  const MergeRules rules(merges);
  EXPECT_EQ(rules.merge(std::vector<int>{0, 0, 0}), (std::vector<int>{1, 0}));
  EXPECT_EQ(rules.merge(std::vector<int>{0, 0, 0, 0, 0}), (std::vector<int>{2, 0}));
  EXPECT_EQ(rules.merge(std::vector<int>{4, 3, 4}), (std::vector<int>{4, 5}));
  EXPECT_EQ(rules.merge(std::vector<int>{}), std::vector<int>{});
  EXPECT_NE(error_of(ErrorKind::usage,
                     [] {
                       MergeRules({{Merge{1, 2, 3}, Merge{1, 2, 4}}});
                     })
                .find("1 and 2"),
            std::string::npos);
}

TEST(MergeRules, TakeALongWordInNoTime) {
  const std::vector<Merge> merges{{0, 0, 1}, {1, 1, 2}, {2, 2, 3}};
  EXPECT_EQ(MergeRules(merges).merge(std::vector<int>(800000, 0)).size(), 100000u);
}

TEST(Tokenizer, PutsStartAndEndAroundTheTokens) {
  const Tokenizer tokenizer = small_tokenizer();
  const int end = int(tokenizer.size()) - 1, start = end - 1;
  EXPECT_EQ(tokenizer.encode(""), (std::vector<int>{start, end}));
  EXPECT_EQ(tokenizer.encode("<|endoftext|>"), (std::vector<int>{start, end, end}));
  const std::vector<int> ids = tokenizer.encode("The TABLE");
  ASSERT_EQ(ids.size(), 4u);
  EXPECT_EQ(tokenizer.vocabulary().tokens[std::size_t(ids[1])], "the</w>");
  EXPECT_EQ(tokenizer.vocabulary().tokens[std::size_t(ids[2])], "table</w>");
}

TEST(Tokenizer, PadsAndCuts) {
  const Tokenizer tokenizer = small_tokenizer();
  const int end = int(tokenizer.size()) - 1;
  const std::vector<int> whole = tokenizer.encode("the red table");
  ASSERT_EQ(whole.size(), 5u);
  const PaddedTokens longer = tokenizer.encode_padded("the red table", 7);
  EXPECT_EQ(longer.ids, (std::vector<int>{whole[0], whole[1], whole[2], whole[3], end, end, end}));
  EXPECT_EQ(longer.used, 5);
  EXPECT_EQ(longer.cut, 0);
  const PaddedTokens shorter = tokenizer.encode_padded("the red table", 3);
  EXPECT_EQ(shorter.ids, (std::vector<int>{whole[0], whole[1], end}));
  EXPECT_EQ(shorter.used, 3);
  EXPECT_EQ(shorter.cut, 2);
  EXPECT_NE(error_of(ErrorKind::usage, [&] { tokenizer.encode_padded("a", 1); }).find("need 2"),
            std::string::npos);
}

TEST(Tokenizer, DecodesWhatItEncoded) {
  const Tokenizer tokenizer = small_tokenizer();
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("The red\ttable,  it's 5 \u65e5\u672c")),
            "the red table , it 's 5 \u65e5\u672c");
  EXPECT_EQ(tokenizer.decode({}), "");
  // A byte that begins no character, two of the four bytes of one, and a whole one.
  std::vector<int> ids;
  for (const unsigned char byte : {0x61, 0xff, 0xf0, 0x9f, 0x62, 0xc3, 0xa9})
    ids.push_back(int(std::ranges::find(tokenizer.vocabulary().tokens, byte_symbol(byte)) -
                      tokenizer.vocabulary().tokens.begin()));
  EXPECT_EQ(tokenizer.decode(ids), "a\ufffd\ufffdb\u00e9");
  EXPECT_NE(error_of(ErrorKind::usage, [&] { tokenizer.decode(std::vector<int>{600}); }).find("600"),
            std::string::npos);
  EXPECT_THROW(tokenizer.decode(std::vector<int>{-1}), Error);
}

TEST(Tokenizer, NamesWordsThatNoCaptionHad) {
  const Tokenizer tokenizer = small_tokenizer();
  EXPECT_EQ(tokenizer.unseen_words("The GREEN table! green <|endoftext|> it's 7"),
            (std::vector<std::string>{"green", "!", "7"}));
  Vocabulary without = tokenizer.vocabulary();
  without.known_words.clear();
  EXPECT_EQ(Tokenizer(without).unseen_words("green"), std::vector<std::string>{});
}

TEST(Tokenizer, RefusesIdsOfNoToken) {
  const Vocabulary sound = small_tokenizer().vocabulary();
  Vocabulary bad = sound;
  bad.end.id = int(sound.tokens.size());
  EXPECT_THROW(Tokenizer{bad}, Error);
  bad = sound;
  bad.merges[0].merged = -1;
  EXPECT_THROW(Tokenizer{bad}, Error);
  bad = sound;
  bad.tokens[std::size_t(bad.start.id)].clear();
  EXPECT_THROW(Tokenizer{bad}, Error);
}

}  // namespace
}  // namespace diffusion
