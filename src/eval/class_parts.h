#pragma once

// Parts of a set with so many images of each class. A Frechet distance of few images depends on luck with the
// classes more than on anything else: of 2,048 real Fashion-MNIST images against the test images, half of it.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "eval/features.h"

namespace diffusion {

// Features of images of known classes.
struct LabeledFeatures {
  const FeatureSet& features;
  std::span<const std::uint16_t> labels;  // [count], below the number of classes
};

// `count` images divided among the classes in the proportions that `labels` have: rounded down, and what is
// left goes to those that lost most, the lower class first. Error(usage) for no labels, one that is not below
// `classes`, and a negative count.
std::vector<int> class_quotas(std::span<const std::uint16_t> labels, int classes, int count);

// quotas[k] rows of each class k: the first ones, or with a seed those that come first in a permutation of
// all rows. None if there are too few of a class.
std::optional<FeatureSet> part_with_classes(const LabeledFeatures& set, std::span<const int> quotas,
                                            std::optional<std::uint64_t> seed);

}  // namespace diffusion
