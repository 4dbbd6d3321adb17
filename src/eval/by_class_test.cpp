#include "eval/by_class.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "eval/frechet.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

constexpr int kWidth = 3;

// Row i is of class i % 3, around a place of its class.
struct Set {
  FeatureSet features;
  std::vector<std::uint16_t> labels;

  Set(int count, std::uint32_t number)
      : features{count, kWidth, std::vector<float>(std::size_t(count) * kWidth)} {
    fill_normal({6, Stream::init, number, 0}, features.values);
    for (int i = 0; i < count; ++i) {
      labels.push_back(std::uint16_t(i % 3));
      features.values[std::size_t(i) * kWidth] += float(100 * (i % 3));
    }
  }
  LabeledFeatures labeled() const { return {features, labels}; }
};

std::vector<int> as_asked_for(const Set& set) {
  return {set.labels.begin(), set.labels.end()};
}

TEST(ByClass, EachClassAgainstItsOwn) {
  const Set generated(90, 1), real(120, 2), others(300, 3);
  const LabeledFeatures real_labeled = real.labeled(), others_labeled = others.labeled();
  const auto scores =
      score_classes(generated.labeled(), as_asked_for(generated), &real_labeled, &others_labeled, 3, 1);
  ASSERT_EQ(scores.size(), 3u);
  for (const ClassScores& s : scores) {
    EXPECT_EQ(s.generated, 30);
    EXPECT_EQ(s.real, 40);
    EXPECT_EQ(s.agreement, 1);
    EXPECT_GT(*s.precision, 0.7);
    EXPECT_GT(*s.recall, 0.7);
    EXPECT_LT(*s.frechet, 1);  // 100 apart from other classes
    EXPECT_LT(*s.frechet_of_real, 1);
    EXPECT_EQ(s.missing, "");
  }
  FeatureSet rows{30, kWidth, {}}, real_rows{40, kWidth, {}};
  for (int i = 1; i < 90; i += 3)
    for (const float v : generated.features.row(i)) rows.values.push_back(v);
  for (int i = 1; i < 120; i += 3)
    for (const float v : real.features.row(i)) real_rows.values.push_back(v);
  EXPECT_DOUBLE_EQ(*scores[1].frechet, frechet_distance(rows, real_rows));
}

TEST(ByClass, ScrambledLabelsAreSeen) {
  Set generated(90, 1);
  const Set real(120, 2);
  const LabeledFeatures real_labeled = real.labeled();
  const std::vector<int> predicted = as_asked_for(generated);
  for (std::size_t i = 0; i < generated.labels.size(); ++i)
    generated.labels[i] = std::uint16_t(uniform_below({7, Stream::init, 0, 0}, 3, std::uint32_t(i)));
  for (const ClassScores& s : score_classes(generated.labeled(), predicted, &real_labeled, nullptr, 3, 1)) {
    EXPECT_NEAR(s.agreement.value(), 1.0 / 3, 0.2);  // chance
    EXPECT_NEAR(*s.precision, 1.0 / 3, 0.2);
    EXPECT_GT(*s.frechet, 1000);
    EXPECT_FALSE(s.frechet_of_real);
  }
}

TEST(ByClass, SaysWhatTooFewImagesLackAndWhy) {
  const Set generated(10, 1), real(120, 2);  // 4, 3 and 3
  const LabeledFeatures real_labeled = real.labeled();
  std::vector<int> predicted = as_asked_for(generated);
  predicted[4] = 0;  // of class 1
  const auto scores = score_classes(generated.labeled(), predicted, &real_labeled, nullptr, 4, 1);
  ASSERT_EQ(scores.size(), 4u);
  EXPECT_TRUE(scores[0].frechet);  // 4 images, 3 features
  EXPECT_FALSE(scores[0].precision);
  EXPECT_NEAR(scores[1].agreement.value(), 2.0 / 3, 1e-15);
  EXPECT_FALSE(scores[1].frechet);
  for (const char* word : {"3 samples", "40 real", "more than 3", "precision and recall", "6"})
    EXPECT_NE(scores[1].missing.find(word), std::string::npos) << scores[1].missing;
  EXPECT_EQ(scores[3].generated, 0);
  const auto unknown = score_classes(generated.labeled(), predicted, nullptr, nullptr, 3, 1);
  EXPECT_FALSE(unknown[0].precision);
  EXPECT_NE(unknown[0].missing.find("not known"), std::string::npos);
}

TEST(ByClass, WithoutAClassifierThereIsNoAgreement) {
  const Set generated(90, 1), real(120, 2);
  const LabeledFeatures real_labeled = real.labeled();
  const std::vector<int> predicted = as_asked_for(generated);
  const auto with = score_classes(generated.labeled(), predicted, &real_labeled, nullptr, 3, 1),
             without = score_classes(generated.labeled(), {}, &real_labeled, nullptr, 3, 1);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_FALSE(without[k].agreement);
    EXPECT_EQ(without[k].frechet, with[k].frechet);
    EXPECT_EQ(without[k].recall, with[k].recall);
  }
}

TEST(ByClass, Refusals) {
  Set generated(9, 1);
  const std::vector<int> predicted = as_asked_for(generated);
  const auto kind = [](const std::function<void()>& action) { return fixtures::error_of(action).kind(); };
  EXPECT_EQ(kind([&] { score_classes(generated.labeled(), predicted, nullptr, nullptr, 2, 1); }),
            ErrorKind::usage);
  generated.labels.pop_back();
  EXPECT_EQ(kind([&] {
              score_classes(generated.labeled(), std::span(predicted).first(8), nullptr, nullptr, 3, 1);
            }),
            ErrorKind::usage);
}

}  // namespace
}  // namespace diffusion
