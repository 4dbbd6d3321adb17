#include "eval/image_sets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "eval/evaluation.h"
#include "formats/npy.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

using fixtures::error_of;

TEST(ImageSets, OfPictures) {
  const std::vector<Image> images{{2, 1, 1, {1, 2}}, {2, 1, 1, {3, 4}}};
  const Dataset data = dataset_of(images, "two");
  EXPECT_EQ(data.count(), 2);
  EXPECT_EQ(data.height, 1);
  EXPECT_EQ(data.width, 2);
  EXPECT_EQ(data.image(1)[0], 3);
  const std::vector<Image> mixed{{2, 1, 1, {1, 2}}, {1, 2, 1, {3, 4}}};
  EXPECT_EQ(error_of([&] { dataset_of(mixed, "mixed"); }).kind(), ErrorKind::usage);
  EXPECT_EQ(error_of([&] { dataset_of({}, "none"); }).kind(), ErrorKind::usage);
}

TEST(ImageSets, OfArrays) {
  const fixtures::TemporaryFolder folder;
  const auto path = folder.path() / "images.npy";
  const std::vector<std::uint8_t> bytes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  write_npy(path, std::array<std::int64_t, 4>{2, 1, 2, 3}, bytes);
  const Dataset color = read_image_array(path);
  EXPECT_EQ(color.count(), 2);
  EXPECT_EQ(color.channels, 3);
  EXPECT_EQ(color.image(1)[5], 11);
  write_npy(path, std::array<std::int64_t, 3>{3, 2, 2}, bytes);
  EXPECT_EQ(read_image_array(path).channels, 1);
  EXPECT_EQ(read_image_array(path).image(2)[3], 11);
  write_npy(path, std::array<std::int64_t, 2>{3, 4}, bytes);
  EXPECT_EQ(error_of([&] { read_image_array(path); }).kind(), ErrorKind::bad_input);
  write_npy(path, std::array<std::int64_t, 4>{1, 1, 2, 6}, bytes);
  EXPECT_EQ(error_of([&] { read_image_array(path); }).kind(), ErrorKind::bad_input);
  write_npy(path, std::array<std::int64_t, 4>{0, 1, 1, 1}, std::span<const std::uint8_t>());
  EXPECT_EQ(error_of([&] { read_image_array(path); }).kind(), ErrorKind::bad_input);
}

TEST(ImageSets, RandomImagesKeepTheirLabels) {
  std::vector<std::uint8_t> pixels(50);
  std::vector<std::uint16_t> labels(50);
  for (std::size_t i = 0; i < 50; ++i) pixels[i] = std::uint8_t(labels[i] = std::uint16_t(i));
  const Dataset data{"numbers", 1, 1, 1, pixels, labels, std::vector<std::string>(50, "a")};
  const Dataset some = random_images(data, 20, 3);
  ASSERT_EQ(some.count(), 20);
  std::vector<int> seen;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(some.image(i)[0], some.labels[std::size_t(i)]);
    seen.push_back(some.image(i)[0]);
  }
  std::ranges::sort(seen);
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
  EXPECT_EQ(error_of([&] { random_images(data, 51, 3); }).kind(), ErrorKind::usage);
}

TEST(ImageSets, ClassesByNameOrNumber) {
  using Numbers = std::vector<std::uint16_t>;
  const std::vector<std::string> names{"T-shirt/top", "Trouser", "Bag"};
  EXPECT_EQ(class_numbers({"Bag", "T-shirt/top", "Trouser"}, names), (Numbers{2, 0, 1}));
  EXPECT_EQ(class_numbers({"bag", "t_shirt top", "TROUSER"}, names), (Numbers{2, 0, 1}));
  EXPECT_EQ(class_numbers({"0", "2"}, names), (Numbers{0, 2}));
  EXPECT_EQ(class_numbers({"Bag", "Shoe"}, names), std::nullopt);
  EXPECT_EQ(class_numbers({"3"}, names), std::nullopt);
  EXPECT_EQ(class_numbers({"02"}, names), std::nullopt);
  EXPECT_EQ(class_numbers({""}, names), std::nullopt);
  EXPECT_EQ(class_numbers({}, names), std::nullopt);
  EXPECT_EQ(class_numbers({"1", "7"}, {"7", "1"}), (Numbers{1, 0}));  // a name before a number
  EXPECT_EQ(class_numbers({"a b"}, {"A-B", "a.b"}), std::nullopt);    // either
  EXPECT_EQ(class_numbers({"-"}, {"+", "*"}), std::nullopt);          // nothing to compare
  EXPECT_EQ(class_numbers({"\xc3\xa9"}, {"e", "\xc3\xa9"}), (Numbers{1}));
}

TEST(ImageSets, RelabeledImagesStayWhatTheyAre) {
  const Dataset data{"folder", 1, 1, 1, std::vector<std::uint8_t>{7, 8, 9}, {1, 0, 1}, {"bag", "Trouser"}};
  const auto result = relabeled(data, {"Trouser", "Bag"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->labels, (std::vector<std::uint16_t>{0, 1, 0}));
  EXPECT_EQ(result->class_names, (std::vector<std::string>{"Trouser", "Bag"}));
  EXPECT_EQ(result->image(2)[0], 9);
  EXPECT_FALSE(relabeled(data, {"Trouser", "Shoe"}));
  Dataset unlabeled = data;
  unlabeled.labels.clear();
  EXPECT_FALSE(relabeled(unlabeled, {"Trouser", "Bag"}));
}

TEST(Evaluation, EverythingAtOnce) {
  FeatureSet x{60, 2, {}}, y{50, 2, {}};
  for (int i = 0; i < 120; ++i) x.values.push_back(float(i * 37 % 101) / 100);
  for (int i = 0; i < 100; ++i) y.values.push_back(float(i * 53 % 97) / 100);
  const Evaluation e = evaluate(x, y, {.resamples = 10, .kid = {5, 30}});
  EXPECT_EQ(e.generated, 60);
  EXPECT_EQ(e.real, 50);
  for (const Score& s :
       {e.frechet, e.kid, e.prdc.precision, e.prdc.recall, e.prdc.density, e.prdc.coverage}) {
    EXPECT_LE(s.interval.low, s.value);
    EXPECT_GE(s.interval.high, s.value);
  }
  EXPECT_LT(evaluate(y, y, {.resamples = 2, .kid = {2, 30}}).frechet.value, 1e-10);
}

}  // namespace
}  // namespace diffusion
