#include "eval/caption_sets.h"

#include <algorithm>
#include <set>

#include "base/rng.h"
#include "eval/caption_classes.h"

namespace diffusion {

namespace {

std::vector<std::uint16_t> distinct_labels(const Dataset& data, const std::set<std::uint16_t>& without) {
  std::set<std::uint16_t> seen = without;
  std::vector<std::uint16_t> labels;
  for (const std::uint16_t label : data.labels)
    if (seen.insert(label).second) labels.push_back(label);
  return labels;
}

std::vector<std::uint16_t> some_of(const std::vector<std::uint16_t>& labels, std::optional<int> count,
                                   std::uint64_t seed) {
  if (!count || std::size_t(*count) >= labels.size()) return labels;
  std::vector<std::uint16_t> chosen;
  for (int i = 0; i < *count; ++i)
    chosen.push_back(labels[permute({seed, Stream::shuffle, 0, 0}, std::uint64_t(i), labels.size())]);
  return chosen;
}

}  // namespace

CaptionSets read_caption_sets(const std::string& data, DataOptions source,
                              const std::vector<std::string>& class_names) {
  source.split = Split::train;
  const Dataset training = load_dataset(data, source);
  source.split = Split::test;
  source.prepare.talk = {};  // it is of the same pictures, and has been said
  const Dataset held_out = load_dataset(data, source);
  CaptionSets sets{with_caption_classes(training, class_names), std::nullopt};
  if (held_out.fingerprint() != training.fingerprint())
    sets.held_out = with_caption_classes(held_out, class_names);
  return sets;
}

AskedCaptions choose_captions(const CaptionSets& sets, std::optional<int> count, std::uint64_t seed) {
  const std::vector<std::uint16_t> training = distinct_labels(sets.training, {});
  AskedCaptions asked{some_of(training, count, seed), {}};
  if (sets.held_out)
    asked.held_out =
        some_of(distinct_labels(*sets.held_out, {training.begin(), training.end()}), count, seed);
  return asked;
}

std::vector<std::uint16_t> asked_of_pictures(const AskedCaptions& asked, int per_caption) {
  std::vector<std::uint16_t> pictures;
  for (const auto* captions : {&asked.training, &asked.held_out})
    for (const std::uint16_t caption : *captions)
      pictures.insert(pictures.end(), std::size_t(per_caption), caption);
  return pictures;
}

}  // namespace diffusion
