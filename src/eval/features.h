#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace diffusion {

// What a feature network says of `count` images: [count, width], one row an image.
struct FeatureSet {
  int count = 0, width = 0;
  std::vector<float> values;

  std::span<const float> row(int i) const {
    return std::span(values).subspan(std::size_t(i) * std::size_t(width), std::size_t(width));
  }
};

// Error(usage) unless there are at least `least` rows of at least one number, all of them finite. `what` is
// for the message: "the samples".
void check_features(const FeatureSet& features, int least, std::string_view what);
// The same for two sets, which must also be of one width.
void check_features(const FeatureSet& generated, const FeatureSet& real, int least);

// `count` rows without replacement, number `part` of the disjoint parts of that size that a permutation of
// the rows by `seed` has; count * (part + 1) <= features.count, Error(usage) otherwise. For the floor of a
// score, real against real: what it says of two sets that do not differ but by chance. It depends on their
// size, so it is to be taken at the size of the sample.
FeatureSet random_part(const FeatureSet& features, int count, int part, std::uint64_t seed);

}  // namespace diffusion
