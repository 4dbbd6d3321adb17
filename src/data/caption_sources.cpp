#include "data/caption_sources.h"

#include <diffusion/error.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "data/caption_table.h"
#include "data/content_hash.h"
#include "data/image_names.h"
#include "files/file_descriptor.h"
#include "files/folders.h"
#include "files/fs.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMaxTextFileBytes = 1 << 20;

// Whether it is a file; then its name, size and time are added.
bool add_file(ContentHash& hash, const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  hash.add(path.string());
  for (const auto number : {std::int64_t(status.st_size), std::int64_t(status.st_mtim.tv_sec),
                            std::int64_t(status.st_mtim.tv_nsec)})
    hash.add(std::uint64_t(number));
  return true;
}

// Files beside the images of a folder.
struct FilesWithCaptions {
  std::vector<std::pair<int, fs::path>> texts;  // of an image
  std::vector<fs::path> tables;                 // from the root down
  std::uint64_t signature = 0;
};

// All folders above the images, the root's name being "".
std::set<std::string> folders_of(const SourceFacts& facts) {
  std::set<std::string> folders{""};
  for (const std::string& name : facts.names)
    for (std::size_t slash = name.rfind('/'); slash != std::string::npos && slash > 0;
         slash = name.rfind('/', slash - 1))
      if (!folders.insert(name.substr(0, slash)).second) break;
  return folders;
}

FilesWithCaptions find_beside(const fs::path& place, const SourceFacts& facts, bool with_texts) {
  FilesWithCaptions found;
  ContentHash hash;
  if (with_texts)
    for (std::size_t i = 0; i < facts.names.size(); ++i)
      if (fs::path path = (place / facts.names[i]).replace_extension(".txt"); add_file(hash, path))
        found.texts.emplace_back(int(i), std::move(path));
  for (const std::string& folder : folders_of(facts)) {
    std::vector<fs::path> tables;
    for (const char* name : {"metadata.jsonl", "metadata.csv"})
      if (fs::path path = place / folder / name; add_file(hash, path)) tables.push_back(std::move(path));
    if (tables.size() > 1)
      throw Error(ErrorKind::bad_input, fmt::format("There are both {} and {}; accepted is one of them.",
                                                    tables[0].string(), tables[1].filename().string()));
    found.tables.insert(found.tables.end(), tables.begin(), tables.end());
  }
  found.signature = hash.value();
  return found;
}

CaptionRow row_of(int image, TableCaption caption, const fs::path& file) {
  return {image, {std::move(caption.text), fmt::format("{}, line {}", file.string(), caption.line)}};
}

std::vector<CaptionRow> read_beside(const FilesWithCaptions& files, const SampleSource& source,
                                    const SourceFacts& facts, const std::vector<std::string>& columns) {
  std::vector<CaptionRow> rows;
  std::vector<bool> has_text(facts.names.size(), false);
  for (const auto& [image, path] : files.texts) {
    has_text[std::size_t(image)] = true;
    for (TableCaption& caption : parse_caption_lines(read_text_file(path, kMaxTextFileBytes), path.string()))
      rows.push_back(row_of(image, std::move(caption), path));
  }
  const ImageNames names(source, facts);
  for (const fs::path& table : files.tables) {
    NamedImages named(names, {table.parent_path()}, table.string());
    for (TableCaption& caption : read_caption_table(table, columns))
      if (const auto image = named.find(caption.file, caption.line); image && !has_text[std::size_t(*image)])
        rows.push_back(row_of(*image, std::move(caption), table));
    named.refuse_unknown();
  }
  return rows;
}

// Goes through an archive along with the names of its samples, which are in the same order.
std::vector<CaptionRow> read_archive(const SampleReader& read, const fs::path& place,
                                     const SourceFacts& facts) {
  std::vector<CaptionRow> rows;
  std::size_t image = 0, broken = 0;
  while (std::optional<Sample> sample = read()) {
    const bool is_image = image < facts.names.size() && facts.names[image] == sample->name;
    const bool is_broken = broken < facts.broken.size() && facts.broken[broken].name == sample->name;
    if (is_image == is_broken)
      throw Error(
          ErrorKind::bad_input,
          fmt::format("{}: {} {}", place.string(), sample->name,
                      is_image ? "is the name of an image and of a broken one, so that their captions "
                                 "cannot be told apart."
                               : "was not there before; the file changed while it was read."));
    if (is_image)
      for (SampleCaption& caption : sample->captions) rows.push_back({int(image), std::move(caption)});
    ++(is_image ? image : broken);
  }
  return rows;
}

void add_columns(ContentHash& hash, const std::vector<std::string>& columns) {
  for (const std::string& column : columns) hash.add(column);
}

}  // namespace

CaptionSource captions_with_images(const SampleSource& source, const SourceFacts& facts,
                                   std::vector<std::string> columns) {
  ContentHash hash;
  add_columns(hash, columns);
  CaptionSource captions{source.place.string(), 0, {}};
  if (source.open_captions) {
    hash.add(source.signature);
    captions.read = [&source, &facts, columns] {
      return read_archive(source.open_captions(columns), source.place, facts);
    };
  } else {
    const auto files =
        std::make_shared<const FilesWithCaptions>(find_beside(source.place, facts, columns.empty()));
    if (files->texts.empty() && files->tables.empty())
      throw Error(
          ErrorKind::bad_input,
          fmt::format("No captions lie with the images of {}: looked for {}metadata.jsonl and "
                      "metadata.csv",
                      source.place.string(), columns.empty() ? "a .txt file beside each image, " : ""),
          {"captions"});
    hash.add(files->signature);
    captions.read = [files, &source, &facts, columns] { return read_beside(*files, source, facts, columns); };
  }
  captions.signature = hash.value();
  return captions;
}

void check_caption_table(const fs::path& table) {
  if (is_plain_file(table)) return;
  if (path_exists(table))
    throw Error(ErrorKind::bad_input, fmt::format("{} is no regular file.", table.string()));
  throw_io_error("read", table, ENOENT);
}

CaptionSource captions_in_table(const fs::path& table, const SampleSource& source, const SourceFacts& facts,
                                std::vector<std::string> columns) {
  ContentHash hash;
  add_columns(hash, columns);
  check_caption_table(table);
  const fs::path path = resolved(table);
  add_file(hash, path);
  const auto read = [&source, &facts, table, path, columns] {
    const ImageNames names(source, facts);
    NamedImages named(names, {path.parent_path(), source.place}, table.string());
    std::vector<CaptionRow> rows;
    for (TableCaption& caption : read_caption_table(table, columns))
      if (const auto image = named.find(caption.file, caption.line))
        rows.push_back(row_of(*image, std::move(caption), table));
    named.refuse_unknown();
    return rows;
  };
  return {table.string(), hash.value(), read};
}

}  // namespace diffusion
