#include "data/tar_shards.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>

#include <diffusion/error.h>
#include "data/archive.h"
#include "data/caption_table.h"
#include "data/content_hash.h"
#include "data/image_folder.h"
#include "files/folders.h"
#include "formats/json.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMaxImageBytes = std::uint64_t(1) << 30, kMaxTextBytes = 1 << 20;
constexpr std::int64_t kMaxShards = 100'000, kMaxLabel = 65'535;

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < 0)
    return std::nullopt;
  return number;
}

// "a{0..2}b" as the names a0b, a1b, a2b; nothing if there are no such braces.
std::optional<std::vector<std::string>> expand_braces(const std::string& pattern) {
  const std::size_t open = pattern.find('{'), close = pattern.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  const std::string inside = pattern.substr(open + 1, close - open - 1);
  const std::size_t dots = inside.find("..");
  if (dots == std::string::npos) return std::nullopt;
  const auto first = parse_number(std::string_view(inside).substr(0, dots)),
             last = parse_number(std::string_view(inside).substr(dots + 2));
  if (!first || !last || *last < *first || *last - *first >= kMaxShards)
    throw Error(
        ErrorKind::usage,
        fmt::format("The pattern {} cannot be used; accepted is {{FIRST..LAST}} with two whole numbers, at "
                    "most {} files.",
                    pattern, kMaxShards));
  std::vector<std::string> names;
  for (std::int64_t number = *first; number <= *last; ++number)
    names.push_back(pattern.substr(0, open) + fmt::format("{:0{}}", number, dots) +
                    pattern.substr(close + 1));
  return names;
}

// "folder/name.tail.png" is the key "folder/name" and the ending "tail.png".
struct MemberName {
  std::string key, ending;
};

MemberName split_name(const std::string& path) {
  const std::size_t slash = path.rfind('/'), begin = slash == std::string::npos ? 0 : slash + 1;
  // A hidden file's first dot does not end a name.
  const std::size_t dot = path.find('.', std::min(begin + 1, path.size()));
  if (dot == std::string::npos) return {path, ""};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

bool is_image_ending(const std::string& ending) {
  return ending.find('.') == std::string::npos && is_image_name("x." + ending);
}

bool is_hidden(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return path.compare(slash == std::string::npos ? 0 : slash + 1, 1, ".") == 0;
}

int checked_label(std::optional<std::int64_t> label, const std::string& where) {
  if (!label || *label < 0 || *label > kMaxLabel)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} holds no label; accepted are whole numbers, 0 to {}.", where, kMaxLabel));
  return int(*label);
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

// What a pass over the shards is for.
struct WantedImages {};
struct WantedCaptions {
  std::vector<std::string> fields;  // of JSON files; empty: "caption", where there is no .txt
};
using Wanted = std::variant<WantedImages, WantedCaptions>;

// The text of a member, and where it is, for messages.
struct Document {
  std::string text, where;
};

// What may hold the captions of a sample.
struct Documents {
  std::optional<Document> txt, json;
};

std::vector<SampleCaption> captions_of(const Documents& documents, const std::vector<std::string>& fields) {
  std::vector<SampleCaption> captions;
  if (documents.txt && fields.empty()) {
    const auto& [text, where] = *documents.txt;
    for (TableCaption& caption : parse_caption_lines(text, where))
      captions.push_back({std::move(caption.text), fmt::format("{}, line {}", where, caption.line)});
  } else if (documents.json) {
    const auto& [text, where] = *documents.json;
    const Json json = parse_json(text, where);
    for (const std::string& field : fields.empty() ? std::vector<std::string>{"caption"} : fields)
      if (const Json* found = json.find(field); found && !found->is_null())
        for (std::string& caption : captions_in(*found, fmt::format("{}: field {}", where, field)))
          captions.push_back({std::move(caption), where});
  }
  return captions;
}

// Goes through all shards and puts together what belongs to one key.
class ShardReader {
 public:
  ShardReader(std::shared_ptr<const std::vector<fs::path>> shards, Wanted wanted)
      : shards_(std::move(shards)), wanted_(std::move(wanted)) {}

  std::optional<Sample> next();

 private:
  // Adds the current member. Returns the sample before, if this is of another key and that had an image.
  std::optional<Sample> take_member();
  std::optional<Sample> finish();
  std::string read_text();
  void read_label(const MemberName& name, const std::string& where);

  std::shared_ptr<const std::vector<fs::path>> shards_;
  Wanted wanted_;
  std::size_t shard_ = 0;
  std::optional<TarReader> tar_;
  Sample sample_;
  bool has_image_ = false;
  Documents documents_;  // of the sample, where captions are wanted
};

std::optional<Sample> ShardReader::next() {
  while (true) {
    if (!tar_) {
      if (shard_ == shards_->size()) return finish();
      tar_.emplace((*shards_)[shard_]);
    }
    if (!tar_->next()) {
      tar_.reset();
      ++shard_;
      if (auto sample = finish()) return sample;
    } else if (auto sample = take_member()) {
      return sample;
    }
  }
}

std::optional<Sample> ShardReader::finish() {
  Sample sample = std::exchange(sample_, {});
  const Documents documents = std::exchange(documents_, {});
  if (!std::exchange(has_image_, false)) return std::nullopt;
  if (const auto* captions = std::get_if<WantedCaptions>(&wanted_))
    sample.captions = captions_of(documents, captions->fields);
  return sample;
}

std::optional<Sample> ShardReader::take_member() {
  if (is_hidden(tar_->name())) return std::nullopt;
  const MemberName name = split_name(tar_->name());
  std::optional<Sample> before;
  if (name.key != sample_.name) before = finish();
  sample_.name = name.key;
  const std::string where = fmt::format("{} in {}", tar_->name(), (*shards_)[shard_].string());
  if (is_image_ending(name.ending)) {
    if (has_image_)
      throw Error(ErrorKind::bad_input, fmt::format("{} is a second image of the same key.", where));
    if (std::holds_alternative<WantedImages>(wanted_)) sample_.content = tar_->read(kMaxImageBytes);
    has_image_ = true;
  } else if (std::holds_alternative<WantedImages>(wanted_)) {
    read_label(name, where);
  } else if (name.ending == "txt") {
    documents_.txt = {read_text(), where};
  } else if (name.ending == "json") {
    documents_.json = {read_text(), where};
  }
  return before;
}

std::string ShardReader::read_text() {
  const std::vector<std::byte> bytes = tar_->read(kMaxTextBytes);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void ShardReader::read_label(const MemberName& name, const std::string& where) {
  if (name.ending != "cls" && name.ending != "json") return;
  const std::string text = read_text();
  if (name.ending == "cls") {
    sample_.label = checked_label(parse_number(trim(text)), where);
    return;
  }
  const Json json = parse_json(text, where);
  const Json* label = json.find("label");
  if (!label) label = json.find("cls");
  if (label) sample_.label = checked_label(to_int(*label, where + ": the label"), where);
}

}  // namespace

std::vector<fs::path> find_tar_shards(const std::string& path) {
  std::error_code ignored;
  std::vector<fs::path> shards;
  if (fs::is_directory(path, ignored)) {
    for (const fs::path& entry : entries_of(path))
      if (const std::string name = entry.filename().string(); is_tar_name(name) && !name.starts_with('.'))
        shards.push_back(entry);
  } else if (fs::exists(path, ignored)) {
    if (is_tar_name(path)) shards.push_back(path);
  } else if (const auto names = expand_braces(path)) {
    for (const std::string& name : *names) {
      if (!fs::exists(name, ignored))
        throw Error(ErrorKind::bad_input, fmt::format("The file {} of {} does not exist.", name, path));
      shards.emplace_back(name);
    }
  }
  return shards;
}

std::optional<std::string> key_of_image(const std::string& file) {
  MemberName name = split_name(file);
  if (name.ending.empty() || is_image_ending(name.ending)) return std::move(name.key);
  return std::nullopt;
}

SampleSource tar_shard_source(const std::string& path, std::vector<fs::path> shards) {
  ContentHash hash;
  for (const fs::path& shard : shards) {
    struct stat status {};
    if (::stat(shard.c_str(), &status) != 0)
      throw Error(ErrorKind::io, fmt::format("Cannot read {}.", shard.string()));
    hash.add(shard.string());
    for (const auto number : {std::int64_t(status.st_size), std::int64_t(status.st_mtim.tv_sec),
                              std::int64_t(status.st_mtim.tv_nsec)})
      hash.add(std::uint64_t(number));
  }
  SampleSource source;
  source.place = from_root(path).lexically_normal();
  const fs::path named = source.place.has_filename() ? source.place : source.place.parent_path();
  source.name = named.filename().string();
  source.signature = hash.value();
  const auto shared = std::make_shared<const std::vector<fs::path>>(std::move(shards));
  const auto open = [shared](Wanted wanted) -> SampleReader {
    const auto reader = std::make_shared<ShardReader>(shared, std::move(wanted));
    return [reader] { return reader->next(); };
  };
  source.open = [open] { return open(WantedImages{}); };
  source.open_captions = [open](std::vector<std::string> fields) {
    return open(WantedCaptions{std::move(fields)});
  };
  return source;
}

}  // namespace diffusion
