#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/pixel_cache.h"
#include "data/sample_source.h"

namespace diffusion {

// A caption of an image of a prepared set, and where it stands.
struct CaptionRow {
  int image;
  SampleCaption caption;
};

// Where captions come from: found, but not read yet.
struct CaptionSource {
  std::string name;             // for messages
  std::uint64_t signature = 0;  // changes when the captions may have changed
  // All of them, those of an image in the order in which it gets them. Error(bad_input) that says what is
  // wrong and where.
  std::function<std::vector<CaptionRow>()> read;
};

// What lies with the images of `facts`, which came from `source`. In a folder: NAME.txt beside NAME.png, with
// a caption in each line; for images without one, metadata.jsonl or metadata.csv (caption_table.h) in a
// folder above, whose files are named from there. In tar files: as tar_shards.h says. `columns`: those of the
// tables, or fields of JSON files, which then count instead of .txt.
CaptionSource captions_with_images(const SampleSource& source, const SourceFacts& facts,
                                   std::vector<std::string> columns);

// Error(io) if there is no such table, Error(bad_input) if it is no file: found without reading it.
void check_caption_table(const std::filesystem::path& table);

// A table that the user names. Its files are named from the folder of the table or from that of the images;
// of tar files, by their members or by keys. A file that does not exist is an error when it is read, one that
// exists outside of the folder of the images (another split) is passed over.
CaptionSource captions_in_table(const std::filesystem::path& table, const SampleSource& source,
                                const SourceFacts& facts, std::vector<std::string> columns);

}  // namespace diffusion
