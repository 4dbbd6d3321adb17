#include "eval/caption_sets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "eval/caption_classes.h"
#include "eval/word_overlap.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

using fixtures::error_of;

// One pixel each, whose value is its number.
Dataset pixels_with(const std::vector<std::vector<std::string>>& captions) {
  std::vector<std::uint8_t> pixels;
  for (std::size_t i = 0; i < captions.size(); ++i) pixels.push_back(std::uint8_t(i));
  Dataset data{"pixels", 1, 1, 1, std::move(pixels), {}, {}};
  data.captions = Captions(captions);
  return data;
}

TEST(CaptionClasses, AreTheFirstCaptions) {
  const Dataset data = with_caption_classes(pixels_with({{"b", "x"}, {}, {"a"}, {"b"}}));
  EXPECT_EQ(data.class_names, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(data.labels, (std::vector<std::uint16_t>{0, 1, 0}));
  ASSERT_EQ(data.count(), 3);  // the picture without words is left out
  EXPECT_EQ(data.image(1)[0], 2);
  EXPECT_TRUE(data.captions.empty());
}

TEST(CaptionClasses, OfANetwork) {
  const Dataset data = pixels_with({{"b"}, {"a"}});
  EXPECT_EQ(with_caption_classes(data, {"a", "c", "b"}).labels, (std::vector<std::uint16_t>{2, 0}));
  const Error error = error_of([&] { with_caption_classes(data, {"b", "c"}); });
  EXPECT_EQ(error.kind(), ErrorKind::usage);
  EXPECT_NE(std::string(error.what()).find("1 of the 2 captions"), std::string::npos) << error.what();
  EXPECT_NE(std::string(error.what()).find("\"a\""), std::string::npos) << error.what();
  Dataset silent = data;
  silent.captions = {};
  EXPECT_EQ(error_of([&] { with_caption_classes(silent); }).kind(), ErrorKind::usage);
}

CaptionSets numbered(std::vector<std::uint16_t> training, std::vector<std::uint16_t> held_out) {
  const std::vector<std::string> names(100, "?");
  const auto set = [&](std::vector<std::uint16_t> labels) {
    const std::size_t count = labels.size();
    return Dataset{"set", 1, 1, 1, std::vector<std::uint8_t>(count), std::move(labels), names};
  };
  CaptionSets sets{set(std::move(training)), std::nullopt};
  if (!held_out.empty()) sets.held_out = set(std::move(held_out));
  return sets;
}

TEST(CaptionSets, EachCaptionIsAskedOnce) {
  const AskedCaptions asked = choose_captions(numbered({4, 2, 4, 9}, {7, 2, 7, 1}), std::nullopt, 0);
  EXPECT_EQ(asked.training, (std::vector<std::uint16_t>{4, 2, 9}));
  EXPECT_EQ(asked.held_out, (std::vector<std::uint16_t>{7, 1}));  // a training picture is called 2
  EXPECT_EQ(asked_of_pictures(asked, 2), (std::vector<std::uint16_t>{4, 4, 2, 2, 9, 9, 7, 7, 1, 1}));
  EXPECT_TRUE(choose_captions(numbered({1}, {}), std::nullopt, 0).held_out.empty());
}

TEST(CaptionSets, SomeAreChosenBySeed) {
  std::vector<std::uint16_t> all(50);
  for (std::size_t i = 0; i < 50; ++i) all[i] = std::uint16_t(i);
  const CaptionSets sets = numbered(all, {60, 61, 62});
  const AskedCaptions some = choose_captions(sets, 20, 1);
  EXPECT_EQ(std::set(some.training.begin(), some.training.end()).size(), 20u);
  EXPECT_EQ(some.held_out.size(), 3u);  // there are no more
  EXPECT_EQ(some.training, choose_captions(sets, 20, 1).training);
  EXPECT_NE(some.training, choose_captions(sets, 20, 2).training);
}

TEST(WordOverlap, MostWordsInCommon) {
  const std::vector<std::string> among{"woman cook: light skin tone", "man pilot: dark skin tone",
                                       "red heart", "heart"},
      asked{"Woman Pilot: dark skin tone", "red", "red, red car"};
  EXPECT_EQ(most_words_in_common(asked, among, 0), (std::vector<int>{1, 2, 2}));
  EXPECT_EQ(error_of([&] { most_words_in_common(asked, {}, 0); }).kind(), ErrorKind::usage);
}

TEST(WordOverlap, TiesAreBrokenBySeed) {
  const std::vector<std::string> among{"a x", "a y", "b"}, asked(64, "a");
  const std::vector<int> found = most_words_in_common(asked, among, 1);
  EXPECT_GT(std::ranges::count(found, 0), 16);
  EXPECT_GT(std::ranges::count(found, 1), 16);
  EXPECT_EQ(std::ranges::count(found, 2), 0);
  EXPECT_EQ(found, most_words_in_common(asked, among, 1));
  EXPECT_NE(found, most_words_in_common(asked, among, 2));
}

}  // namespace
}  // namespace diffusion
