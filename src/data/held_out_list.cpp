#include "data/held_out_list.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "data/image_names.h"
#include "files/folders.h"
#include "files/fs.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMaxListBytes = std::uint64_t(1) << 30;

// The line in which each image is named; 0: it is not.
std::vector<std::int64_t> lines_of_images(const fs::path& list, const SampleSource& source,
                                          const SourceFacts& facts) {
  const ImageNames names(source, facts);
  NamedImages named(names, {resolved(list).parent_path(), source.place}, list.string());
  const std::string content = read_text_file(list, kMaxListBytes);
  std::vector<std::int64_t> lines(facts.names.size(), 0);
  std::int64_t number = 0;
  for (std::string_view rest = content; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos || line.starts_with('#')) continue;
    const std::optional<int> image = named.find(std::string(line), number);
    if (!image) continue;
    std::int64_t& before = lines[std::size_t(*image)];
    if (before != 0)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} names {} twice, in lines {} and {}.", list.string(), line, before, number));
    before = number;
  }
  named.refuse_unknown();
  return lines;
}

}  // namespace

std::vector<int> images_of_split(const fs::path& list, Split split, const SampleSource& source,
                                 const SourceFacts& facts) {
  const std::vector<std::int64_t> lines = lines_of_images(list, source, facts);
  std::vector<int> images;
  for (std::size_t i = 0; i < lines.size(); ++i)
    if ((lines[i] == 0) == (split == Split::train)) images.push_back(int(i));
  if (images.empty())
    throw Error(ErrorKind::bad_input,
                fmt::format("{} names {} of the images of {}, so that none is left {}.", list.string(),
                            split == Split::train ? "all" : "none", source.place.string(),
                            split == Split::train ? "for training" : "to test with"));
  return images;
}

}  // namespace diffusion
