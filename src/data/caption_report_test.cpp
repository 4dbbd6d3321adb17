#include "data/caption_report.h"

#include <gtest/gtest.h>

namespace diffusion {
namespace {

using Words = std::vector<std::string>;

TEST(CaptionReport, WordsStandBetweenSpaceWithoutPunctuationAround) {
  EXPECT_EQ(words_of("Woman firefighter: medium-light\t(skin) tone."),
            (Words{"woman", "firefighter", "medium-light", "skin", "tone"}));
  EXPECT_EQ(words_of(" keycap: # \n don't  ..."), (Words{"keycap", "#", "don't", "..."}));
  EXPECT_EQ(words_of("Réunion “Ä”, «犬» – —\xe2\x80 …x…"),
            (Words{"réunion", "Ä", "犬", "–", "\xe2\x80", "x"}));
  EXPECT_EQ(words_of("  "), Words{});
}

TEST(CaptionReport, CountsWordsAndImages) {
  const std::vector<std::vector<std::string>> texts{
      {"a red cat", "A cat"}, {}, {"zwölf Böxkämpfer"}, {"a b c d e f"}};
  const CaptionReport report = report_on(Captions(texts));
  EXPECT_EQ(report.captions, 4);
  EXPECT_EQ(report.words, 13);
  EXPECT_EQ(report.images_with, (std::vector<std::pair<std::size_t, int>>{{0, 1}, {1, 2}, {2, 1}}));
  ASSERT_EQ(report.word_counts.size(), 10u);
  EXPECT_EQ(report.word_counts[0], (std::pair<std::string, std::int64_t>("a", 3)));
  EXPECT_EQ(report.word_counts[1], (std::pair<std::string, std::int64_t>("cat", 2)));
  EXPECT_EQ(report.word_counts[2], (std::pair<std::string, std::int64_t>("b", 1)));
  EXPECT_EQ(report.word_counts.back().first, "zwölf");
  EXPECT_EQ(report.longest.image, 2);
  EXPECT_EQ(report.longest.characters, 16u);  // in more bytes
  EXPECT_EQ(report.longest.words, 2u);
  EXPECT_EQ(report.longest.text, "zwölf Böxkämpfer");
}

}  // namespace
}  // namespace diffusion
