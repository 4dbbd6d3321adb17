#include "eval/retrieval.h"

#include <gtest/gtest.h>

#include <vector>

#include <diffusion/error.h>
#include "support/fixtures.h"

namespace diffusion {
namespace {

// The logit of class k is feature k.
Classifier identity(int classes) {
  ClassifierConfig config{{8, 8}, 1, {}, {4, classes}, 1, 1};
  for (int k = 0; k < classes; ++k) config.class_names.push_back(std::to_string(k));
  Classifier classifier = make_classifier(config, 1);
  const ParamLayout& layout = classifier.params.layout();
  const auto weight = classifier.params.values(*layout.find("head.weight"));
  for (std::size_t i = 0; i < weight.size(); ++i)
    weight[i] = i % std::size_t(classes) == i / std::size_t(classes) ? 1 : 0;
  for (float& bias : classifier.params.values(*layout.find("head.bias"))) bias = 0;
  return classifier;
}

TEST(Retrieval, PlacesAreAmongAllClasses) {
  const Classifier classifier = identity(4);
  const FeatureSet features{4, 4, {9, 3, 5, 1, 9, 3, 5, 1, 9, 3, 5, 1, 2, 2, 2, 2}};
  const std::vector<std::uint16_t> asked{0, 3, 2, 0};
  EXPECT_EQ(places_of_asked(classifier, features, asked),
            (std::vector<int>{1, 4, 2, 4}));  // a tie is no find
}

TEST(Retrieval, PlacesByTheNearestPictures) {
  // Class 7 has two pictures, at 0 and 10; class 2 one at 3, class 0 one at 3 too.
  const FeatureSet real{4, 1, {0, 10, 3, 3}};
  const std::vector<std::uint16_t> labels{7, 7, 2, 0};
  const FeatureSet drawn{5, 1, {1, 9, 2.5, 3, 3}};
  const std::vector<std::uint16_t> asked{7, 7, 7, 2, 7};
  EXPECT_EQ(places_of_nearest(drawn, asked, real, labels), (std::vector<int>{1, 1, 3, 2, 3}));
  const std::vector<std::uint16_t> absent{1, 7, 7, 2, 7};
  EXPECT_EQ(fixtures::error_of([&] { places_of_nearest(drawn, absent, real, labels); }).kind(),
            ErrorKind::internal);
}

TEST(Retrieval, SharesAndIntervals) {
  const std::vector<int> places{1, 1, 2, 5, 6, 6, 100, 1, 9, 10};
  const Retrieval r = retrieval(places, 10);
  EXPECT_DOUBLE_EQ(r.at_1.value, 0.3);
  EXPECT_DOUBLE_EQ(r.at_5.value, 0.5);
  // Wilson's interval by hand: (0.3 + z^2 / 20 +- z sqrt(0.021 + z^2 / 400)) / (1 + z^2 / 10), z = 1.6449
  EXPECT_NEAR(r.at_1.interval.low, 0.1276, 1e-3);
  EXPECT_NEAR(r.at_1.interval.high, 0.5576, 1e-3);
  const Retrieval fewer = retrieval(places, 5);
  EXPECT_LT(fewer.at_1.interval.low, r.at_1.interval.low);
  EXPECT_GT(fewer.at_1.interval.high, r.at_1.interval.high);
}

TEST(Retrieval, NoneAndAllAreUncertainToo) {
  const std::vector<int> none(20, 50), all(20, 1);
  EXPECT_EQ(retrieval(none, 20).at_1.interval.low, 0);
  EXPECT_GT(retrieval(none, 20).at_1.interval.high, 0.05);
  EXPECT_EQ(retrieval(all, 20).at_1.interval.high, 1);
  EXPECT_LT(retrieval(all, 20).at_1.interval.low, 0.95);
}

TEST(Retrieval, Refusals) {
  using fixtures::error_of;
  const Classifier classifier = identity(4);
  const std::vector<std::uint16_t> asked{0};
  EXPECT_EQ(error_of([] { retrieval({}, 1); }).kind(), ErrorKind::usage);
  EXPECT_EQ(error_of([&] {
              places_of_asked(classifier, {2, 4, std::vector<float>(8)}, asked);
            }).kind(),
            ErrorKind::internal);
  EXPECT_EQ(error_of([&] {
              places_of_asked(classifier, {1, 4, {0, 0, 0, std::numeric_limits<float>::quiet_NaN()}}, asked);
            }).kind(),
            ErrorKind::non_finite);
}

}  // namespace
}  // namespace diffusion
