#pragma once

#include <diffusion/captions.h>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/pixel_cache.h"
#include "data/sample_source.h"

namespace diffusion {

enum class CaptionsFrom {
  none,    // no captions
  images,  // what lies with the images
  table    // a table, wherever it lies
};

struct CaptionOptions {
  CaptionsFrom from = CaptionsFrom::none;
  std::filesystem::path table = {};
  std::vector<std::string> columns = {};  // of tables, for the captions; empty: the usual one
  // Images without a caption that are accepted; open: a tenth of them, at least 1.
  std::optional<std::int64_t> max_uncaptioned = {};
};

// The captions of the images of `set`, which prepare_images() made of `source`, from the cache if they have
// been read before and nothing changed. `options.from` is not none. Images without a caption are told of;
// too many, or all, are Error(bad_input), and so are a caption that an image has twice and whatever is wrong
// with a source (caption_sources.h). Error(io) if something cannot be read, or the cache not be written.
Captions prepare_captions(const SampleSource& source, const CachedSet& set, const CaptionOptions& options,
                          const std::function<void(const std::string& message)>& talk);

}  // namespace diffusion
