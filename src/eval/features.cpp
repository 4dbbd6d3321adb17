#include "eval/features.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {

void check_features(const FeatureSet& features, int least, std::string_view what) {
  if (features.width < 1 || features.count < least)
    throw Error(ErrorKind::usage,
                fmt::format("{} are {} rows of {} features; needed are at least {} rows of 1", what,
                            features.count, features.width, least));
  if (features.values.size() != std::size_t(features.count) * std::size_t(features.width))
    throw Error(ErrorKind::usage, fmt::format("{} are {} numbers, which are not {} rows of {} features", what,
                                              features.values.size(), features.count, features.width));
  const auto bad = std::ranges::find_if(features.values, [](float v) { return !std::isfinite(v); });
  if (bad != features.values.end())
    throw Error(ErrorKind::non_finite,
                fmt::format("row {} of {} holds {}; features must be finite",
                            (bad - features.values.begin()) / features.width, what, *bad));
}

void check_features(const FeatureSet& generated, const FeatureSet& real, int least) {
  check_features(generated, least, "the samples");
  check_features(real, least, "the real images");
  if (generated.width != real.width)
    throw Error(
        ErrorKind::usage,
        fmt::format("the samples have {} features and the real images {}; they must be of one network",
                    generated.width, real.width));
}

FeatureSet random_part(const FeatureSet& features, int count, int part, std::uint64_t seed) {
  if (count < 1 || part < 0 || std::int64_t(count) * (std::int64_t(part) + 1) > features.count)
    throw Error(ErrorKind::usage, fmt::format("part {} of {} rows each does not exist in {} rows", part,
                                              count, features.count));
  FeatureSet result{count, features.width, {}};
  result.values.reserve(std::size_t(count) * std::size_t(features.width));
  const RandomKey key{seed, Stream::shuffle, 0, 0};
  for (int i = 0; i < count; ++i) {
    const auto place = std::uint64_t(part) * std::uint64_t(count) + std::uint64_t(i);
    const auto row = features.row(int(permute(key, place, std::uint64_t(features.count))));
    result.values.insert(result.values.end(), row.begin(), row.end());
  }
  return result;
}

}  // namespace diffusion
