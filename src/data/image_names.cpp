#include "data/image_names.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "data/tar_shards.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

constexpr int kBroken = -1;
constexpr std::size_t kUnknownNamed = 5;

std::string without_dot_slash(std::string name) {
  while (name.starts_with("./")) name.erase(0, 2);
  return name;
}

// What the names of files in a folder begin with.
std::string beginning_of(const fs::path& folder) {
  const std::string name = folder.string();
  return name.ends_with('/') ? name : name + "/";
}

}  // namespace

ImageNames::ImageNames(const SampleSource& source, const SourceFacts& facts) : source_(source) {
  for (std::size_t i = 0; i < facts.names.size(); ++i)
    if (std::string name = without_dot_slash(facts.names[i]); !images_.emplace(name, int(i)).second)
      twice_.insert(std::move(name));
  for (const BrokenFile& file : facts.broken) images_.emplace(without_dot_slash(file.name), kBroken);
}

std::optional<int> ImageNames::image(const std::string& name, const std::string& where) const {
  if (twice_.contains(name))
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: two images are called {}, so it could mean either.", where, name));
  const int image = images_.at(name);
  return image == kBroken ? std::nullopt : std::optional(image);
}

NamedImages::NamedImages(const ImageNames& names, std::vector<fs::path> origins, std::string list)
    : names_(names), origins_(std::move(origins)), list_(std::move(list)) {}

std::vector<std::string> NamedImages::possible_names(const std::string& file) const {
  if (names_.source().open_captions) {  // an archive
    std::optional<std::string> key = key_of_image(without_dot_slash(file));
    return key ? std::vector{std::move(*key)} : std::vector<std::string>{};
  }
  std::vector<std::string> names;
  const std::string beginning = beginning_of(names_.source().place);
  for (const fs::path& origin : origins_)
    if (const std::string path = (origin / file).lexically_normal().string(); path.starts_with(beginning))
      names.push_back(path.substr(beginning.size()));
  return names;
}

bool NamedImages::is_elsewhere(const std::string& file) const {
  if (names_.source().open_captions) return false;
  const std::string beginning = beginning_of(names_.source().place);
  for (const fs::path& origin : origins_) {
    const fs::path path = (origin / file).lexically_normal();
    std::error_code ignored;
    if (!path.string().starts_with(beginning) && fs::is_regular_file(path, ignored)) return true;
  }
  return false;
}

std::optional<int> NamedImages::find(const std::string& file, std::int64_t line) {
  for (const std::string& name : possible_names(file))
    if (names_.knows(name)) return names_.image(name, fmt::format("{}, line {}", list_, line));
  if (is_elsewhere(file)) return std::nullopt;
  if (unknown_ < kUnknownNamed) unknown_list_ += fmt::format("\n  line {}: {}", line, file);
  ++unknown_;
  return std::nullopt;
}

void NamedImages::refuse_unknown() const {
  if (unknown_ == 0) return;
  throw Error(ErrorKind::bad_input, fmt::format("{} names {} file{} that {} not among the images of {}:{}{}",
                                                list_, unknown_, unknown_ == 1 ? "" : "s",
                                                unknown_ == 1 ? "is" : "are", names_.source().place.string(),
                                                unknown_list_, unknown_ > kUnknownNamed ? "\n  ..." : ""));
}

}  // namespace diffusion
