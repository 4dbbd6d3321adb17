#pragma once

// What a model of words is asked to draw, and the real pictures of it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/registry.h"

namespace diffusion {

// Pictures with their captions as classes, which are those of a feature network.
struct CaptionSets {
  Dataset training;
  std::optional<Dataset> held_out;  // none: there is no other split
};

// Both splits of a data set by name or path, with the captions, list and form of `source`. Errors as
// load_data() and with_caption_classes().
CaptionSets read_caption_sets(const std::string& data, DataOptions source,
                              const std::vector<std::string>& class_names);

// Captions, as numbers of classes, each once.
struct AskedCaptions {
  std::vector<std::uint16_t> training;
  std::vector<std::uint16_t> held_out;  // that no training picture has
};

// All of them, in the order of their pictures; or of both kinds `count` at random by `seed`, or as many as
// there are.
AskedCaptions choose_captions(const CaptionSets& sets, std::optional<int> count, std::uint64_t seed);

// What picture after picture is drawn for: `per_caption` of the first training caption, of the next, ...,
// then those that are held out.
std::vector<std::uint16_t> asked_of_pictures(const AskedCaptions& asked, int per_caption);

}  // namespace diffusion
