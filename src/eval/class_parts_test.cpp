#include "eval/class_parts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/fixtures.h"

namespace diffusion {
namespace {

using Quotas = std::vector<int>;

TEST(ClassParts, QuotasAreProportional) {
  std::vector<std::uint16_t> labels(10000);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = std::uint16_t(i % 10);
  EXPECT_EQ(class_quotas(labels, 10, 2048), (Quotas{205, 205, 205, 205, 205, 205, 205, 205, 204, 204}));
  EXPECT_EQ(class_quotas(labels, 10, 10000), Quotas(10, 1000));
  EXPECT_EQ(class_quotas(labels, 11, 20).back(), 0);
  const std::vector<std::uint16_t> uneven{0, 0, 0, 0, 0, 2, 2};
  EXPECT_EQ(class_quotas(uneven, 3, 7), (Quotas{5, 0, 2}));
  EXPECT_EQ(class_quotas(uneven, 3, 3), (Quotas{2, 0, 1}));  // 2.14 and 0.86
  EXPECT_EQ(class_quotas(uneven, 3, 70), (Quotas{50, 0, 20}));
  EXPECT_EQ(class_quotas(uneven, 3, 0), (Quotas{0, 0, 0}));
  for (const auto& [wrong, classes, count] :
       {std::tuple{std::vector<std::uint16_t>(), 3, 1}, {uneven, 2, 1}, {uneven, 3, -1}})
    EXPECT_EQ(fixtures::error_of([&, w = wrong, k = classes, n = count] { class_quotas(w, k, n); }).kind(),
              ErrorKind::usage);
}

TEST(ClassParts, FirstOrRandomRows) {
  FeatureSet features{30, 1, {}};
  std::vector<std::uint16_t> labels;
  for (int i = 0; i < 30; ++i) {
    features.values.push_back(float(i));
    labels.push_back(std::uint16_t(i % 3));
  }
  const LabeledFeatures set{features, labels};
  EXPECT_EQ(part_with_classes(set, Quotas{2, 0, 1}, {})->values, (std::vector<float>{0, 2, 3}));
  // The first of a model's samples are those that fewer of them would be.
  EXPECT_EQ(part_with_classes(set, class_quotas(labels, 3, 7), {})->values,
            (std::vector<float>{0, 1, 2, 3, 4, 5, 6}));
  const auto some = part_with_classes(set, Quotas{4, 4, 2}, 5),
             same = part_with_classes(set, Quotas{4, 4, 2}, 5),
             other = part_with_classes(set, Quotas{4, 4, 2}, 6);
  ASSERT_EQ(some->count, 10);
  EXPECT_EQ(some->values, same->values);
  EXPECT_NE(some->values, other->values);
  Quotas seen(3);
  for (const float v : some->values) ++seen[std::size_t(v) % 3];
  EXPECT_EQ(seen, (Quotas{4, 4, 2}));
  std::vector<float> rows = some->values;
  std::ranges::sort(rows);
  EXPECT_EQ(std::ranges::adjacent_find(rows), rows.end());
  EXPECT_FALSE(part_with_classes(set, Quotas{11, 0, 0}, 5));
  EXPECT_FALSE(part_with_classes(set, Quotas{1, 1, 1, 1}, 5));
  EXPECT_EQ(part_with_classes(set, Quotas{10, 10, 10}, 5)->count, 30);
}

}  // namespace
}  // namespace diffusion
