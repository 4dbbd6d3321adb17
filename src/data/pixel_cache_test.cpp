#include "data/pixel_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <diffusion/error.h>
#include "data/content_hash.h"
#include "files/fs.h"
#include "support/fixtures.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using fixtures::TemporaryFolder;

constexpr std::uint64_t kSignature = 42;

std::vector<std::uint8_t> image_of(int i) {
  return {std::uint8_t(i), std::uint8_t(2 * i), 3, 4, 5, std::uint8_t(200 - i)};
}

CachedSet facts_of(int count) {
  CachedSet set;
  set.dataset = {"", 1, 2, 3, {}, {}, {"cat", "d\xffg"}, {0, 1}};
  set.facts = {{}, {{"broken.png", "it is"}}, {3, 4}, {5, 6}};
  for (int i = 0; i < count; ++i) {
    set.dataset.labels.push_back(std::uint16_t(i % 2));
    set.facts.names.push_back("image " + std::to_string(i));
  }
  return set;
}

void write_cache(const std::filesystem::path& path, int count) {
  PixelCacheWriter writer(path, 6, 0);
  std::vector<std::uint64_t> hashes;
  for (int i = count; i-- > 0;) writer.write(i, image_of(i));
  for (int i = 0; i < count; ++i) hashes.push_back(hash_of(image_of(i)));
  writer.commit(facts_of(count), hashes, kSignature);
}

std::string content_of(const std::filesystem::path& path) {
  return read_text_file(path, 1 << 20);
}

TEST(PixelCache, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "cache";
  write_cache(path, 5);
  const auto set = open_pixel_cache(path, kSignature);
  ASSERT_TRUE(set.has_value());
  const Dataset& dataset = set->dataset;
  ASSERT_EQ(dataset.count(), 5);
  EXPECT_EQ(dataset.height, 1);
  EXPECT_EQ(dataset.width, 2);
  EXPECT_EQ(dataset.channels, 3);
  EXPECT_EQ(dataset.margin, (std::array{0, 1}));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(std::ranges::equal(dataset.image(i), image_of(i))) << i;
  EXPECT_EQ(dataset.labels, facts_of(5).dataset.labels);
  EXPECT_EQ(dataset.class_names, facts_of(5).dataset.class_names);
  EXPECT_EQ(set->facts.names, facts_of(5).facts.names);
  ASSERT_EQ(set->facts.broken.size(), 1u);
  EXPECT_EQ(set->facts.broken[0].reason, "it is");
  EXPECT_EQ(set->facts.smallest, (std::array{3, 4}));
  EXPECT_EQ(set->facts.largest, (std::array{5, 6}));
}

TEST(PixelCache, ContentHashDependsOnPixelsAndLabels) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "cache";
  const auto fingerprint = [&](std::uint8_t last_pixel, std::uint16_t label) {
    std::vector<std::uint8_t> image = image_of(0);
    image.back() = last_pixel;
    CachedSet set = facts_of(1);
    set.dataset.labels = {label};
    PixelCacheWriter writer(path, 6, 1);
    writer.write(0, image);
    const std::uint64_t hash = hash_of(image);
    writer.commit(set, std::span(&hash, 1), kSignature);
    return open_pixel_cache(path, kSignature).value().dataset.fingerprint();
  };
  const std::uint64_t first = fingerprint(1, 0);
  EXPECT_EQ(fingerprint(1, 0), first);
  EXPECT_NE(fingerprint(2, 0), first);
  EXPECT_NE(fingerprint(1, 1), first);
}

TEST(PixelCache, AnotherSourceIsNotTakenForThisOne) {
  const TemporaryFolder folder;
  write_cache(folder.path() / "cache", 2);
  EXPECT_FALSE(open_pixel_cache(folder.path() / "cache", kSignature + 1));
  EXPECT_FALSE(open_pixel_cache(folder.path() / "other", kSignature));
  EXPECT_FALSE(open_pixel_cache(folder.path(), kSignature));
}

TEST(PixelCache, EveryDamageIsFound) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "cache", damaged = folder.path() / "damaged";
  write_cache(path, 4);
  const std::string whole = content_of(path);
  ASSERT_EQ(whole.substr(4096, 6), std::string({0, 0, 3, 4, 5, char(200)}));
  const std::size_t pixels_end = 4096 + 4 * 6;
  ASSERT_LT(pixels_end, whole.size());
  int intact = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (i >= 40 && i < 4096) continue;  // nothing is there
    std::string copy = whole;
    copy[i] = char(copy[i] ^ 4);
    write_file(damaged, copy);
    intact += open_pixel_cache(damaged, kSignature).has_value();
  }
  EXPECT_EQ(intact, 0);
  for (const std::size_t size :
       {std::size_t(0), std::size_t(39), std::size_t(4096), pixels_end, whole.size() - 1}) {
    write_file(damaged, whole.substr(0, size));
    EXPECT_FALSE(open_pixel_cache(damaged, kSignature)) << size;
  }
  write_file(damaged, whole + "x");
  EXPECT_FALSE(open_pixel_cache(damaged, kSignature));
}

TEST(PixelCache, AnUnfinishedOneLeavesNothing) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "cache";
  write_cache(path, 2);
  const std::string before = content_of(path);
  {
    PixelCacheWriter writer(path, 6, 100);
    writer.write(50, image_of(50));
  }
  EXPECT_EQ(content_of(path), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  EXPECT_EQ(scratch::error_of(ErrorKind::io, [&] { PixelCacheWriter(folder.path() / "no/cache", 6, 1); })
                .find("Cannot"),
            0u);
  const scratch::FileSizeLimit limit(8192);
  scratch::error_of(ErrorKind::io, [&] {
    PixelCacheWriter writer(path, 6, 0);
    for (int i = 0; i < 2000; ++i) writer.write(i, image_of(i));
  });
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(PixelCache, AnOpenOneSurvivesItsReplacement) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "cache";
  write_cache(path, 3);
  const auto old = open_pixel_cache(path, kSignature);
  write_cache(path, 1);
  std::filesystem::remove(path);
  EXPECT_TRUE(std::ranges::equal(old->dataset.image(2), image_of(2)));
  const PixelStore copy = old->dataset.pixels;
  EXPECT_EQ(copy.bytes().data(), old->dataset.pixels.bytes().data());
}

}  // namespace
}  // namespace diffusion
