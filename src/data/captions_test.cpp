
#include <diffusion/captions.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "data/batches.h"

namespace diffusion {
namespace {

using Texts = std::vector<std::vector<std::string>>;

const Texts kTexts{{"a cat", "ein Kätzchen"}, {}, {"a dog"}, {"x", "y", "z"}, {}};

Texts texts_of(const Captions& captions) {
  Texts texts(std::size_t(captions.images()));
  for (int i = 0; i < captions.images(); ++i)
    for (std::size_t k = 0; k < captions.count(i); ++k)
      texts[std::size_t(i)].emplace_back(captions.text(i, k));
  return texts;
}

TEST(Captions, GiveBackWhatWasPutIn) {
  EXPECT_EQ(texts_of(Captions(kTexts)), kTexts);
  EXPECT_TRUE(Captions().empty());
  EXPECT_FALSE(Captions(Texts{{}}).empty());
  EXPECT_EQ(texts_of(Captions(Texts{})), Texts{});
}

TEST(Captions, AShardHasEveryNth) {
  const Captions odd = Captions(kTexts).every(2, 1), even = Captions(kTexts).every(2, 0);
  EXPECT_EQ(texts_of(odd), (Texts{kTexts[1], kTexts[3]}));
  EXPECT_EQ(texts_of(even), (Texts{kTexts[0], kTexts[2], kTexts[4]}));
  EXPECT_EQ(texts_of(even.every(2, 1)), (Texts{kTexts[2]}));
  EXPECT_EQ(Captions().every(2, 1).images(), 0);
}

TEST(Captions, DamagedBytesAreRefusedOrSound) {
  const Captions captions(kTexts);
  const std::vector<std::uint8_t> whole(captions.bytes().begin(), captions.bytes().end());
  EXPECT_EQ(texts_of(Captions::from_bytes(whole).value()), kTexts);
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(Captions::from_bytes(std::vector(whole.begin(), whole.begin() + std::ptrdiff_t(size))))
        << size;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::vector<std::uint8_t> damaged = whole;
    damaged[bit / 8] = std::uint8_t(damaged[bit / 8] ^ 1 << bit % 8);
    if (const auto read = Captions::from_bytes(damaged)) texts_of(*read);  // reads nothing outside
  }
}

Dataset captioned(const Texts& texts) {
  Dataset dataset{"set", 1, 1, 1, std::vector<std::uint8_t>(texts.size()), {}, {}};
  dataset.captions = Captions(texts);
  return dataset;
}

TEST(Captions, ArePartOfTheFingerprint) {
  const Dataset with = captioned(kTexts);
  Dataset without = with;
  without.captions = {};
  EXPECT_NE(with.fingerprint(), without.fingerprint());
  Texts other = kTexts;
  other[0] = {"a catein", " Kätzchen"};
  EXPECT_NE(captioned(other).fingerprint(), with.fingerprint());
  std::swap(other[0], other[1]);
  EXPECT_NE(captioned(other).fingerprint(), with.fingerprint());
  // The same words for the same images, from a larger set.
  EXPECT_EQ(take_shard(captioned({{"a"}, {"b"}, {"c"}}), 2, 1).captions.text(0, 0), "b");
}

TEST(CaptionOf, EachOfAnImagesCaptionsIsAsLikely) {
  const Captions captions(kTexts);
  std::map<std::string_view, int> drawn;
  for (std::uint32_t step = 0; step < 300; ++step)
    for (std::uint32_t number = 0; number < 10; ++number) ++drawn[caption_of(captions, 3, {7, step, number})];
  EXPECT_EQ(drawn.size(), 3u);
  for (const auto& [text, count] : drawn) EXPECT_NEAR(count, 1000, 5 * std::sqrt(3000 * 2 / 9.0)) << text;
  EXPECT_EQ(caption_of(captions, 1, {7, 0, 0}), "");
  EXPECT_EQ(caption_of(captions, 2, {7, 0, 0}), "a dog");
  EXPECT_EQ(caption_of(Captions(), 2, {7, 0, 0}), "");
}

TEST(CaptionOf, IsAPureFunctionOfSeedStepAndNumber) {
  const Captions captions(kTexts);
  const auto row = [&](std::uint64_t seed, std::uint32_t step) {
    std::vector<std::string_view> texts;
    for (std::uint32_t number = 0; number < 30; ++number)
      texts.push_back(caption_of(captions, 3, {seed, step, number, 0.3}));
    return texts;
  };
  EXPECT_EQ(row(1, 2), row(1, 2));
  EXPECT_EQ((std::set{row(1, 2), row(1, 3), row(2, 2)}.size()), 3u);
}

TEST(CaptionOf, DropsWithTheProbabilityAskedForWhateverIsChosen) {
  const Captions captions(kTexts);
  int dropped = 0, never = 0, kept = 0;
  for (std::uint32_t step = 0; step < 400; ++step)
    for (std::uint32_t number = 0; number < 10; ++number) {
      const std::string_view text = caption_of(captions, 3, {7, step, number, 0.2});
      dropped += text.empty();
      EXPECT_TRUE(text.empty() || text == caption_of(captions, 3, {7, step, number}));
      never += caption_of(captions, 3, {7, step, number, 0}).empty();
      kept += !caption_of(captions, 3, {7, step, number, 1}).empty();
    }
  EXPECT_NEAR(dropped, 800, 5 * std::sqrt(4000 * 0.16));
  EXPECT_EQ(never, 0);
  EXPECT_EQ(kept, 0);
}

TEST(BatchStream, CaptionsBelongToTheirImages) {
  Texts texts;
  for (int i = 0; i < 7; ++i) texts.push_back({"picture " + std::to_string(i), "no. " + std::to_string(i)});
  const Dataset dataset = captioned(texts), shard = take_shard(dataset, 3, 1);
  const BatchStream stream(dataset, 5, {.size = 4}), of_shard(shard, 5, {.size = 4});
  const BatchStream dropping(dataset, 5, {.size = 4, .caption_dropout = 0.5});
  std::set<std::string_view> seen;
  int dropped = 0;
  for (std::uint32_t step = 0; step < 50; ++step)
    for (std::uint32_t i = 0; i < 4; ++i) {
      const std::string_view text = stream.caption(step, i);
      EXPECT_EQ(text.back(), char('0' + stream.dataset_index(step, i))) << text;
      EXPECT_EQ(of_shard.caption(step, i).back(), char('0' + 1 + 3 * of_shard.dataset_index(step, i)));
      seen.insert(text);
      const std::string_view perhaps = dropping.caption(step, i);
      EXPECT_TRUE(perhaps.empty() || perhaps == text);
      dropped += perhaps.empty();
    }
  EXPECT_EQ(seen.size(), 14u);
  EXPECT_NEAR(dropped, 100, 35);
}

}  // namespace
}  // namespace diffusion
