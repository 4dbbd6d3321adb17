#include "data/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include "base/error.h"

namespace diffusion {
namespace {

// Image i is all i, so that a batch shows which images it holds.
Dataset numbered(int count) {
  Dataset dataset{"numbered", 2, 3, 1, {}, {}, {}};
  for (int i = 0; i < count; ++i) {
    dataset.pixels.insert(dataset.pixels.end(), 6, std::uint8_t(i));
    dataset.labels.push_back(std::uint16_t(1000 + i));
  }
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
  const BatchStream stream(dataset, seed, batch, false);
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
  const BatchStream a(dataset, 7, 8, true), b(dataset, 7, 8, true);
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
  const BatchStream stream(dataset, 3, 256, false);
  const Batch batch = take(stream, dataset, 256, 0);
  for (std::size_t i = 0; i < 256; ++i)
    EXPECT_EQ(batch.images[i * 6 + 5], float(batch.labels[i] - 1000) / 127.5f - 1.0f);
  EXPECT_EQ(*std::min_element(batch.images.begin(), batch.images.end()), -1.0f);
  EXPECT_EQ(*std::max_element(batch.images.begin(), batch.images.end()), 1.0f);
}

// One image of 1 x 3 pixels with two channels: plain [C, H, W] is 0 1 2 | 10 11 12, mirrored 2 1 0 | 12
// 11 10.
TEST(BatchStream, TurnsChannelsLastIntoPlanesAndFlipsHalfOfTheExamples) {
  const Dataset dataset{"one", 1, 3, 2, {0, 10, 1, 11, 2, 12}, {}, {}};
  const auto scaled = [](std::vector<float> v) {
    for (float& x : v) x = x / 127.5f - 1.0f;
    return v;
  };
  const auto plain = scaled({0, 1, 2, 10, 11, 12}), mirrored = scaled({2, 1, 0, 12, 11, 10});
  const BatchStream with_flip(dataset, 5, 10, true), without(dataset, 5, 10, false);
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
  const BatchStream stream(dataset, 0, 4, false);
  std::vector<std::uint64_t> epochs;
  for (std::uint32_t step = 0; step < 8; ++step) epochs.push_back(stream.epoch_of(step));
  EXPECT_EQ(epochs, (std::vector<std::uint64_t>{0, 0, 0, 1, 1, 2, 2, 2}));
  EXPECT_EQ(stream.epoch_of(0xffffffff), 0xffffffffull * 4 / 10);
}

TEST(BatchStream, RefusesWhatCannotWork) {
  const Dataset empty{"empty", 2, 2, 1, {}, {}, {}}, dataset = numbered(4);
  EXPECT_THROW(BatchStream(empty, 0, 1, false), Error);
  EXPECT_THROW(BatchStream(dataset, 0, 0, false), Error);
  EXPECT_THROW(BatchStream(dataset, 0, -1, false), Error);

  const BatchStream stream(dataset, 0, 2, false);
  std::vector<float> images(12), short_images(11);
  std::vector<int> labels(2), long_labels(3);
  EXPECT_NO_THROW(stream.batch(0, images, labels));
  EXPECT_THROW(stream.batch(0, short_images, labels), Error);
  EXPECT_THROW(stream.batch(0, images, long_labels), Error);
  Dataset unlabeled = dataset;
  unlabeled.labels.clear();
  EXPECT_THROW(BatchStream(unlabeled, 0, 2, false).batch(0, images, labels), Error);
  EXPECT_NO_THROW(BatchStream(unlabeled, 0, 2, false).batch(0, images, {}));
}

}  // namespace
}  // namespace diffusion
