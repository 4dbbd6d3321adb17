#include <diffusion/dataset.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include <diffusion/error.h>

namespace diffusion {
namespace {

using Bytes = std::vector<std::uint8_t>;

const Bytes kToyPixels{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

Dataset toy(const Bytes& pixels = kToyPixels) {
  return {"toy", 2, 1, 3, pixels, {1, 0}, {"a", "b"}};
}

// Images are 0, 1, 2, ...
Dataset even_and_odd(int count) {
  Bytes pixels;
  Dataset dataset{"numbered", 1, 1, 1, {}, {}, {"even", "odd"}};
  for (int i = 0; i < count; ++i) {
    pixels.push_back(std::uint8_t(i));
    dataset.labels.push_back(std::uint16_t(i % 2));
  }
  dataset.pixels = pixels;
  return dataset;
}

TEST(Dataset, CountsAndSlices) {
  const Dataset dataset = toy();
  EXPECT_EQ(dataset.count(), 2);
  ASSERT_EQ(dataset.image(1).size(), 6u);
  EXPECT_EQ(dataset.image(1).front(), 7);
  EXPECT_EQ(Dataset{}.count(), 0);
}

TEST(Dataset, FingerprintDependsOnContentOnly) {
  Dataset renamed = toy();
  renamed.name = "other";
  EXPECT_EQ(renamed.fingerprint(), toy().fingerprint());

  const std::vector<std::function<void(Dataset&)>> changes{
      [](Dataset&) {},
      [](Dataset& d) { d.pixels = Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13}; },
      [](Dataset& d) { d.pixels = Bytes{2, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}; },
      [](Dataset& d) { std::swap(d.labels[0], d.labels[1]); },
      [](Dataset& d) { d.labels[1] = 256; },
      [](Dataset& d) { d.labels.clear(); },
      [](Dataset& d) { std::swap(d.height, d.width); },
      [](Dataset& d) { std::swap(d.height, d.channels); },
      [](Dataset& d) { d.pixels = Bytes{1, 2, 3, 4, 5, 6}; },
      [](Dataset& d) { d.content_hash = 1; },
      [](Dataset& d) { d.content_hash = 2; },
      [](Dataset& d) {
        d = take_shard(d, 2, 0);
        d.content_hash = 1;
      },
      [](Dataset& d) {
        d = take_shard(d, 2, 1);
        d.content_hash = 1;
      },
  };
  std::set<std::uint64_t> fingerprints;
  for (const auto& change : changes) {
    Dataset dataset = toy();
    change(dataset);
    fingerprints.insert(dataset.fingerprint());
  }
  EXPECT_EQ(fingerprints.size(), changes.size());
}

// Computed by hand with the published constants: 4 x 8 bytes of extents, then the pixel 'a'.
TEST(Dataset, FingerprintIsFnv1a) {
  const Dataset dataset{"one", 1, 1, 1, Bytes{'a'}, {}, {}};
  std::uint64_t expected = 14695981039346656037u;
  for (const int byte :
       {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 97})
    expected = (expected ^ std::uint64_t(byte)) * 1099511628211u;
  EXPECT_EQ(dataset.fingerprint(), expected);
}

TEST(Dataset, ShardsPartTheImagesAndTheirLabels) {
  const Dataset whole = even_and_odd(11);
  std::vector<int> seen;
  for (int k = 0; k < 4; ++k) {
    const Dataset shard = take_shard(whole, 4, k);
    EXPECT_EQ(shard.count(), k < 3 ? 3 : 2);
    ASSERT_EQ(shard.labels.size(), std::size_t(shard.count()));
    EXPECT_EQ(shard.pixels.bytes().data(), whole.pixels.bytes().data()) << "copied";
    for (int i = 0; i < shard.count(); ++i) {
      EXPECT_EQ(shard.image(i)[0] % 4, k);
      EXPECT_EQ(shard.labels[std::size_t(i)], shard.image(i)[0] % 2);
      seen.push_back(shard.image(i)[0]);
    }
  }
  std::sort(seen.begin(), seen.end());
  for (int i = 0; i < 11; ++i) EXPECT_EQ(seen.at(std::size_t(i)), i);
  // Without a content hash the fingerprint is that of the images alone.
  Dataset copy = even_and_odd(1);
  copy.pixels = Bytes{2, 6, 10};
  copy.labels = {0, 0, 0};
  EXPECT_EQ(take_shard(whole, 4, 2).fingerprint(), copy.fingerprint());

  EXPECT_EQ(take_shard(even_and_odd(3), 3, 2).count(), 1);
  for (const auto& [n, k] : std::vector<std::pair<int, int>>{{0, 0}, {2, 2}, {2, -1}, {-1, 0}, {12, 0}})
    EXPECT_THROW(take_shard(whole, n, k), Error) << n << " " << k;
}

}  // namespace
}  // namespace diffusion
