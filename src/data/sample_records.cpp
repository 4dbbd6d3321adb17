#include "data/sample_records.h"

#include <fmt/format.h>

#include <algorithm>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr std::size_t kBrokenNamed = 5;

void check_labels(const SampleRecord& first, const SampleRecord& record, const SampleSource& source) {
  if (record.label.has_value() == first.label.has_value()) return;
  const SampleRecord& labeled = record.label ? record : first;
  const SampleRecord& unlabeled = record.label ? first : record;
  throw Error(ErrorKind::bad_input,
              fmt::format("Only some images of {} have a label: {} has one, {} has none.",
                          source.place.string(), labeled.name, unlabeled.name));
}

}  // namespace

CachedSet describe_samples(std::span<const SampleRecord> records, const SampleSource& source) {
  CachedSet set;
  std::vector<std::string>& class_names = set.dataset.class_names;
  const SampleRecord* first = nullptr;
  for (const SampleRecord& record : records) {
    if (!record.reason.empty()) {
      set.facts.broken.push_back({record.name, record.reason});
      continue;
    }
    if (!first) {
      first = &record;
      set.facts.smallest = set.facts.largest = record.size;
      if (record.label) class_names = source.class_names;
    }
    check_labels(*first, record, source);
    set.facts.names.push_back(record.name);
    for (const std::size_t side : {0, 1}) {
      set.facts.smallest[side] = std::min(set.facts.smallest[side], record.size[side]);
      set.facts.largest[side] = std::max(set.facts.largest[side], record.size[side]);
    }
    if (!record.label) continue;
    set.dataset.labels.push_back(std::uint16_t(*record.label));
    for (int label = int(class_names.size()); label <= *record.label; ++label)
      class_names.push_back(std::to_string(label));
  }
  if (!first)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} holds no image that can be read{}{}", source.place.string(),
                            set.facts.broken.empty() ? "." : ": ",
                            set.facts.broken.empty() ? "" : set.facts.broken.front().reason));
  return set;
}

void check_broken(const SourceFacts& facts, const SampleSource& source, const PrepareOptions& options) {
  const auto broken = std::int64_t(facts.broken.size());
  const std::int64_t all = broken + std::int64_t(facts.names.size());
  const std::int64_t accepted =
      options.max_broken.value_or(std::clamp<std::int64_t>(all / 100, 1, kMostBrokenByDefault));
  if (broken > accepted) refuse_broken(facts.broken, source, accepted);
}

void refuse_broken(std::span<const BrokenFile> broken, const SampleSource& source, std::int64_t accepted) {
  std::string list;
  for (std::size_t i = 0; i < std::min(broken.size(), kBrokenNamed); ++i) list += "\n  " + broken[i].reason;
  if (broken.size() > kBrokenNamed) list += "\n  ...";
  throw Error(ErrorKind::bad_input,
              fmt::format("{} files of {} are broken:{}\naccepted are {}", broken.size(),
                          source.place.string(), list, accepted),
              {"max_broken"});
}

}  // namespace diffusion
