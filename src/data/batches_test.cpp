#include "data/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <thread>

#include <diffusion/error.h>

namespace diffusion {
namespace {

// Image i is all i, so that a batch shows which images it holds.
Dataset numbered(int count) {
  Dataset dataset{"numbered", 2, 3, 1, {}, {}, {}};
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < count; ++i) {
    pixels.insert(pixels.end(), 6, std::uint8_t(i));
    dataset.labels.push_back(std::uint16_t(1000 + i));
  }
  dataset.pixels = pixels;
  return dataset;
}

struct Batch {
  std::vector<float> images;
  std::vector<int> labels;
  bool operator==(const Batch&) const = default;
};

Batch take(const BatchStream& stream, const Dataset& dataset, int size, std::uint32_t step) {
  Batch batch{std::vector<float>(std::size_t(size) * dataset.image(0).size()),
              std::vector<int>(std::size_t(size))};
  stream.batch(step, batch.images, batch.labels);
  return batch;
}

// The labels of the first `epochs` epochs, in order.
std::vector<int> row(const Dataset& dataset, std::uint64_t seed, int batch, int epochs) {
  const BatchStream stream(dataset, seed, {.size = batch});
  std::vector<int> labels;
  for (std::uint32_t step = 0; labels.size() < std::size_t(epochs * dataset.count()); ++step) {
    const Batch b = take(stream, dataset, batch, step);
    labels.insert(labels.end(), b.labels.begin(), b.labels.end());
  }
  labels.resize(std::size_t(epochs * dataset.count()));
  return labels;
}

TEST(BatchStream, EveryEpochVisitsEveryImageOnceAcrossBatchBoundaries) {
  for (const auto& [count, batch] :
       std::vector<std::pair<int, int>>{{37, 5}, {64, 16}, {7, 20}, {1, 3}, {100, 1}}) {
    const Dataset dataset = numbered(count);
    const std::vector<int> labels = row(dataset, 11, batch, 4);
    std::vector<int> expected(std::size_t(count), 0);
    std::iota(expected.begin(), expected.end(), 1000);
    for (int epoch = 0; epoch < 4; ++epoch) {
      std::vector<int> part(labels.begin() + epoch * count, labels.begin() + (epoch + 1) * count);
      std::sort(part.begin(), part.end());
      EXPECT_EQ(part, expected) << count << " images in batches of " << batch << ", epoch " << epoch;
    }
  }
}

TEST(BatchStream, OrderChangesWithEpochAndSeedButNotWithBatchSize) {
  const Dataset dataset = numbered(100);
  const std::vector<int> labels = row(dataset, 1, 8, 2);
  const std::vector<int> first(labels.begin(), labels.begin() + 100),
      second(labels.begin() + 100, labels.end());
  EXPECT_NE(first, second);
  EXPECT_FALSE(std::is_sorted(first.begin(), first.end()));
  EXPECT_NE(labels, row(dataset, 2, 8, 2));
  EXPECT_EQ(labels, row(dataset, 1, 33, 2));
}

TEST(BatchStream, IsAPureFunctionOfSeedAndStep) {
  const Dataset dataset = numbered(50);
  const BatchStream a(dataset, 7, {.size = 8, .flip = true}), b(dataset, 7, {.size = 8, .flip = true});
  std::vector<Batch> forward;
  for (std::uint32_t step = 0; step < 20; ++step) forward.push_back(take(a, dataset, 8, step));
  for (std::uint32_t step = 20; step-- > 0;) EXPECT_EQ(take(b, dataset, 8, step), forward[step]) << step;
  std::vector<Batch> parallel(20);
  {
    std::vector<std::thread> threads;
    for (std::uint32_t step = 0; step < 20; ++step)
      threads.emplace_back([&, step] { parallel[step] = take(a, dataset, 8, step); });
    for (auto& thread : threads) thread.join();
  }
  EXPECT_EQ(parallel, forward);
}

TEST(BatchStream, ImagesBelongToTheirLabelsAndSpanMinusOneToOne) {
  const Dataset dataset = numbered(256);
  const BatchStream stream(dataset, 3, {.size = 256});
  const Batch batch = take(stream, dataset, 256, 0);
  for (std::size_t i = 0; i < 256; ++i)
    EXPECT_EQ(batch.images[i * 6 + 5], float(batch.labels[i] - 1000) / 127.5f - 1.0f);
  EXPECT_EQ(*std::min_element(batch.images.begin(), batch.images.end()), -1.0f);
  EXPECT_EQ(*std::max_element(batch.images.begin(), batch.images.end()), 1.0f);
}

// One image of 1 x 3 pixels with two channels: plain [C, H, W] is 0 1 2 | 10 11 12, mirrored 2 1 0 | 12
// 11 10.
TEST(BatchStream, TurnsChannelsLastIntoPlanesAndFlipsHalfOfTheExamples) {
  const Dataset dataset{"one", 1, 3, 2, std::vector<std::uint8_t>{0, 10, 1, 11, 2, 12}, {}, {}};
  const auto scaled = [](std::vector<float> v) {
    for (float& x : v) x = x / 127.5f - 1.0f;
    return v;
  };
  const auto plain = scaled({0, 1, 2, 10, 11, 12}), mirrored = scaled({2, 1, 0, 12, 11, 10});
  const BatchStream with_flip(dataset, 5, {.size = 10, .flip = true}), without(dataset, 5, {.size = 10});
  int flips = 0, mixed_batches = 0;
  std::vector<float> images(60);
  for (std::uint32_t step = 0; step < 200; ++step) {
    with_flip.batch(step, images, {});
    const int flips_before = flips;
    for (std::size_t i = 0; i < 10; ++i) {
      const std::vector<float> image(images.begin() + std::ptrdiff_t(6 * i),
                                     images.begin() + std::ptrdiff_t(6 * i + 6));
      EXPECT_TRUE(image == plain || image == mirrored);
      flips += image == mirrored;
    }
    mixed_batches += flips != flips_before && flips != flips_before + 10;
    without.batch(step, images, {});
    EXPECT_TRUE(std::equal(plain.begin(), plain.end(), images.begin()));
  }
  EXPECT_NEAR(flips, 1000, 4.5 * 22.4);  // binomial, 2000 at 1/2: standard deviation 22.4
  EXPECT_GT(mixed_batches, 190);         // each example decides for itself
}

TEST(BatchStream, EpochOfTheFirstExample) {
  const Dataset dataset = numbered(10);
  const BatchStream stream(dataset, 0, {.size = 4});
  std::vector<std::uint64_t> epochs;
  for (std::uint32_t step = 0; step < 8; ++step) epochs.push_back(stream.epoch_of(step));
  EXPECT_EQ(epochs, (std::vector<std::uint64_t>{0, 0, 0, 1, 1, 2, 2, 2}));
  EXPECT_EQ(stream.epoch_of(0xffffffff), 0xffffffffull * 4 / 10);
}

TEST(BatchStream, StepsOfEpochs) {
  const Dataset dataset = numbered(10);
  EXPECT_EQ(BatchStream(dataset, 0, {.size = 4}).steps_of(2), 5);
  EXPECT_EQ(BatchStream(dataset, 0, {.size = 4, .drop_last = true}).steps_of(2), 4);
  EXPECT_EQ(BatchStream(dataset, 0, {.size = 4}).steps_of(1e-6), 1);
}

TEST(BatchStream, DropLastEndsEveryEpochWithItsLastFullBatch) {
  const Dataset dataset = numbered(11);
  const BatchStream stream(dataset, 5, {.size = 4, .drop_last = true});
  std::set<int> ever_seen;
  for (std::uint32_t epoch = 0; epoch < 20; ++epoch) {
    std::set<int> seen;
    for (std::uint32_t step = 2 * epoch; step < 2 * epoch + 2; ++step) {
      EXPECT_EQ(stream.epoch_of(step), epoch);
      const Batch batch = take(stream, dataset, 4, step);
      seen.insert(batch.labels.begin(), batch.labels.end());
      for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(batch.labels[i], 1000 + stream.dataset_index(step, i));
    }
    EXPECT_EQ(seen.size(), 8u) << "an image twice in epoch " << epoch;
    ever_seen.insert(seen.begin(), seen.end());
  }
  EXPECT_EQ(ever_seen.size(), 11u) << "the same images are left out in every epoch";
}

// 6 x 9 pixels with 4 channels, of which an example shows 4 x 6: pixel (y, x) of channel c is 60 c + 9 y + x.
TEST(BatchStream, CropsAtRandomPlacesOfAllKinds) {
  Dataset dataset{"one", 6, 9, 4, {}, {}, {}, {2, 3}};
  std::vector<std::uint8_t> pixels;
  for (int p = 0; p < 6 * 9; ++p)
    for (int c = 0; c < 4; ++c) pixels.push_back(std::uint8_t(60 * c + p));
  dataset.pixels = pixels;
  const BatchStream stream(dataset, 9, {.size = 8, .flip = true});
  ASSERT_EQ(stream.example_size(), 4u * 4 * 6);
  std::vector<float> images(8 * stream.example_size()), again(images.size());
  std::map<std::array<int, 3>, int> places;
  for (std::uint32_t step = 0; step < 300; ++step) {
    stream.batch(step, images, {});
    stream.batch(step, again, {});
    ASSERT_EQ(images, again);
    for (std::size_t i = 0; i < 8; ++i) {
      const auto value = [&](int c, int y, int x) {
        return int(std::lround((images[i * 96 + std::size_t((c * 4 + y) * 6 + x)] + 1) * 127.5f));
      };
      const bool mirrored = value(0, 0, 0) > value(0, 0, 1);
      const int corner = value(0, 0, mirrored ? 5 : 0), top = corner / 9, left = corner % 9;
      for (int c = 0; c < 4; ++c)
        for (int y = 0; y < 4; ++y)
          for (int x = 0; x < 6; ++x)
            ASSERT_EQ(value(c, y, mirrored ? 5 - x : x), 60 * c + 9 * (top + y) + left + x);
      ++places[{top, left, mirrored}];
    }
  }
  EXPECT_EQ(places.size(), 3u * 4 * 2);
  for (const auto& [place, count] : places)
    EXPECT_NEAR(count, 100, 50) << place[0] << " " << place[1] << " " << place[2];  // deviation 9.8
}

TEST(BatchStream, RefusesWhatCannotWork) {
  const Dataset empty{"empty", 2, 2, 1, {}, {}, {}}, dataset = numbered(4);
  EXPECT_THROW(BatchStream(empty, 0, {.size = 1}), Error);
  EXPECT_THROW(BatchStream(dataset, 0, {.size = 0}), Error);
  EXPECT_THROW(BatchStream(dataset, 0, {.size = -1}), Error);
  EXPECT_THROW(BatchStream(dataset, 0, {.size = 5, .drop_last = true}), Error);
  EXPECT_NO_THROW(BatchStream(dataset, 0, {.size = 4, .drop_last = true}));

  const BatchStream stream(dataset, 0, {.size = 2});
  std::vector<float> images(12), short_images(11);
  std::vector<int> labels(2), long_labels(3);
  EXPECT_NO_THROW(stream.batch(0, images, labels));
  EXPECT_THROW(stream.batch(0, short_images, labels), Error);
  EXPECT_THROW(stream.batch(0, images, long_labels), Error);
  Dataset unlabeled = dataset;
  unlabeled.labels.clear();
  EXPECT_THROW(BatchStream(unlabeled, 0, {.size = 2}).batch(0, images, labels), Error);
  EXPECT_NO_THROW(BatchStream(unlabeled, 0, {.size = 2}).batch(0, images, {}));
}

}  // namespace
}  // namespace diffusion
