#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/pixel_cache.h"
#include "data/sample_source.h"

namespace diffusion {

// What became of one sample.
struct SampleRecord {
  std::string name, reason;  // with a reason it is broken
  std::optional<int> label;
  std::uint64_t hash = 0;         // of the pixels
  std::array<int, 2> size{0, 0};  // height and width of the file
};

// Labels, class names and facts of the whole samples, in their order. Error(bad_input) if there is none, or
// if only some have labels.
CachedSet describe_samples(std::span<const SampleRecord> records, const SampleSource& source);

// Error(bad_input) if more files are broken than the options allow.
void check_broken(const SourceFacts& facts, const SampleSource& source, const PrepareOptions& options);

inline constexpr std::int64_t kMostBrokenByDefault = 100;

// Error(bad_input) that names the first of the broken files.
[[noreturn]] void refuse_broken(std::span<const BrokenFile> broken, const SampleSource& source,
                                std::int64_t accepted);

}  // namespace diffusion
