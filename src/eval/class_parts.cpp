#include "eval/class_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {

std::vector<int> class_quotas(std::span<const std::uint16_t> labels, int classes, int count) {
  if (labels.empty() || count < 0)
    throw Error(ErrorKind::usage,
                fmt::format("{} images cannot be divided as {} labels are", count, labels.size()));
  std::vector<std::int64_t> wanted(static_cast<std::size_t>(classes));  // times labels.size()
  for (const std::uint16_t label : labels) {
    if (label >= classes)
      throw Error(ErrorKind::usage,
                  fmt::format("there is a label {}; accepted are 0 to {}", label, classes - 1));
    wanted[label] += count;
  }
  const auto all = std::int64_t(labels.size());
  std::vector<int> quotas;
  quotas.reserve(wanted.size());
  for (const std::int64_t w : wanted) quotas.push_back(int(w / all));
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t k) { return wanted[k] % all; });
  const int left = count - std::accumulate(quotas.begin(), quotas.end(), 0);
  for (std::size_t n = 0; n < std::size_t(left); ++n) ++quotas[order[n]];
  return quotas;
}

std::optional<FeatureSet> part_with_classes(const LabeledFeatures& set, std::span<const int> quotas,
                                            std::optional<std::uint64_t> seed) {
  std::vector<int> missing(quotas.begin(), quotas.end());
  FeatureSet part{0, set.features.width, {}};
  const auto count = std::uint64_t(set.features.count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto row = std::size_t(seed ? permute({*seed, Stream::shuffle, 0, 0}, i, count) : i);
    const std::uint16_t label = set.labels[row];
    if (label >= missing.size() || missing[label] == 0) continue;
    --missing[label];
    ++part.count;
    const std::span<const float> values = set.features.row(int(row));
    part.values.insert(part.values.end(), values.begin(), values.end());
  }
  if (std::ranges::any_of(missing, [](int m) { return m > 0; })) return std::nullopt;
  return part;
}

}  // namespace diffusion
