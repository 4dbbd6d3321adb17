#include "eval/feature_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "files/fs.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

Dataset images(std::uint8_t first_pixel) {
  std::vector<std::uint8_t> pixels(3 * 4, 7);
  pixels[0] = first_pixel;
  return {"images", 2, 2, 1, std::move(pixels), {}, {}};
}

class FeatureCache : public ::testing::Test {
 protected:
  // Features by a network that counts how often it is asked.
  Extracted ask(const std::string& network, const Dataset& data, bool classifier = true) {
    return cached_features(folder_ / "features", network, data, [&] {
      ++computed_;
      Extracted e{{3, 2, {0.5f, -1, 1e-30f, 3, float(computed_), 5}}, {}};
      if (classifier) e.predicted = {4, 0, 9};
      return e;
    });
  }
  fs::path only_entry() const {
    std::vector<fs::path> entries;
    for (const auto& entry : fs::directory_iterator(folder_ / "features")) entries.push_back(entry.path());
    EXPECT_EQ(entries.size(), 1u);
    return entries.at(0);
  }

  scratch::Folder folder_;
  int computed_ = 0;
};

TEST_F(FeatureCache, KeepsWhatANetworkSaidOfImages) {
  for (const bool classifier : {true, false}) {
    const std::string network = classifier ? "a" : "b";
    computed_ = 0;
    const Extracted first = ask(network, images(1), classifier), second = ask(network, images(1), classifier);
    EXPECT_EQ(computed_, 1);
    EXPECT_EQ(second.features.count, 3);
    EXPECT_EQ(second.features.width, 2);
    EXPECT_EQ(second.features.values, first.features.values);
    EXPECT_EQ(second.predicted, first.predicted);
  }
}

TEST_F(FeatureCache, OtherNetworksAndImagesAreComputed) {
  ask("a", images(1));
  ask("b", images(1));
  ask("a", images(2));
  EXPECT_EQ(computed_, 3);
}

TEST_F(FeatureCache, DamagedEntriesAreComputedAgain) {
  const auto values = [&] { return only_entry() / "features.safetensors"; };
  ask("a", images(1));
  std::string bytes = read_text_file(values(), 1 << 20);
  bytes.back() = char(bytes.back() ^ 1);
  write_file(values(), bytes);
  EXPECT_EQ(ask("a", images(1)).features.values[4], 2);
  fs::resize_file(values(), 10);
  EXPECT_EQ(ask("a", images(1)).features.values[4], 3);
  fs::remove(values());
  EXPECT_EQ(ask("a", images(1)).features.values[4], 4);
  write_file(only_entry() / "manifest.json", std::string("{"));
  EXPECT_EQ(ask("a", images(1)).features.values[4], 5);
  EXPECT_EQ(ask("a", images(1)).features.values[4], 5);  // whole again
}

TEST_F(FeatureCache, DoesWithoutAFolder) {
  write_file(folder_ / "plain", std::string("a file"));
  for (const fs::path& folder : {fs::path(), folder_ / "plain" / "features"}) {
    const Extracted e = cached_features(folder, "a", images(1), [] {
      return Extracted{{3, 1, {1, 2, 3}}, {}};
    });
    EXPECT_EQ(e.features.values, (std::vector<float>{1, 2, 3}));
  }
}

}  // namespace
}  // namespace diffusion
