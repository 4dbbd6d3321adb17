#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/pixel_cache.h"
#include "data/sample_source.h"

namespace diffusion {

// The images of a prepared set by their names: paths below the folder, or keys in archives. Names of broken
// files are known, but no image has them.
class ImageNames {
 public:
  // `facts` are of `source`, which must outlive this.
  ImageNames(const SampleSource& source, const SourceFacts& facts);

  const SampleSource& source() const { return source_; }
  bool knows(const std::string& name) const { return images_.contains(name); }
  // The image of a known name; nothing if it is broken. Error(bad_input) that begins with `where` if two
  // images have the name.
  std::optional<int> image(const std::string& name, const std::string& where) const;

 private:
  const SampleSource& source_;
  std::unordered_map<std::string, int> images_;
  std::set<std::string> twice_;
};

// Goes through a table or a list of files that a person wrote, and finds the images. In folders a file is
// named from any of the folders `origins`, the first that fits; in archives by its member or by its key.
class NamedImages {
 public:
  // `list`: what the table or list is called. `names` must outlive this.
  NamedImages(const ImageNames& names, std::vector<std::filesystem::path> origins, std::string list);

  // The image called `file` in that line. Nothing for a broken one, for a file that exists outside of the
  // folder of the images (another split, say), and for one that does not exist, which is noted.
  // Error(bad_input) as ImageNames::image().
  std::optional<int> find(const std::string& file, std::int64_t line);

  // Error(bad_input) that counts the files that do not exist and names the first, if there were any.
  void refuse_unknown() const;

 private:
  std::vector<std::string> possible_names(const std::string& file) const;
  bool is_elsewhere(const std::string& file) const;

  const ImageNames& names_;
  std::vector<std::filesystem::path> origins_;
  std::string list_, unknown_list_;
  std::size_t unknown_ = 0;
};

}  // namespace diffusion
