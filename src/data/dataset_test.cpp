#include "data/dataset.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace diffusion {
namespace {

Dataset toy() {
  return {"toy", 2, 1, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {1, 0}, {"a", "b"}};
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
      [](Dataset& d) { d.pixels[11] ^= 1; },
      [](Dataset& d) { std::swap(d.pixels[0], d.pixels[1]); },
      [](Dataset& d) { std::swap(d.labels[0], d.labels[1]); },
      [](Dataset& d) { d.labels[1] = 256; },
      [](Dataset& d) { d.labels.clear(); },
      [](Dataset& d) { std::swap(d.height, d.width); },
      [](Dataset& d) { std::swap(d.height, d.channels); },
      [](Dataset& d) { d.pixels.resize(6); },
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
  const Dataset dataset{"one", 1, 1, 1, {'a'}, {}, {}};
  std::uint64_t expected = 14695981039346656037u;
  for (const int byte :
       {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 97})
    expected = (expected ^ std::uint64_t(byte)) * 1099511628211u;
  EXPECT_EQ(dataset.fingerprint(), expected);
}

}  // namespace
}  // namespace diffusion
