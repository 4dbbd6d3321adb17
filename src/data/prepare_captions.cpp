#include "data/prepare_captions.h"

#include <diffusion/error.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <utility>

#include "data/byte_fields.h"
#include "data/cache_folder.h"
#include "data/caption_sources.h"
#include "data/content_hash.h"
#include "files/folders.h"
#include "files/fs.h"
#include "files/mapped_file.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

// "DIFCAP01": larger whenever reading captions changes, so that older caches are made anew.
constexpr std::uint64_t kCaptionsMagic = 0x3130504143464944;
constexpr std::size_t kCaptionsHeaderBytes = 3 * 8;
constexpr std::size_t kUncaptionedNamed = 5;

// A file of magic, signature, hash of what follows, and that: Captions::bytes().
std::optional<Captions> open_cache(const fs::path& path, std::uint64_t signature) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return std::nullopt;
  MappedFile file(path);
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(file.bytes().data()), file.bytes().size());
  if (bytes.size() < kCaptionsHeaderBytes) return std::nullopt;
  FieldReader in(bytes.first(kCaptionsHeaderBytes));
  if (in.number() != kCaptionsMagic || in.number() != signature) return std::nullopt;
  if (in.number() != hash_of(bytes.subspan(kCaptionsHeaderBytes))) return std::nullopt;
  const std::size_t size = bytes.size() - kCaptionsHeaderBytes;
  return Captions::from_bytes(PixelStore(std::move(file), kCaptionsHeaderBytes, size));
}

void write_cache(const fs::path& path, std::uint64_t signature, const Captions& captions) {
  make_folders(path.parent_path());
  FieldWriter out;
  for (const std::uint64_t number : {kCaptionsMagic, signature, hash_of(captions.bytes())})
    out.number(number);
  std::vector<std::uint8_t> bytes = out.bytes();
  bytes.insert(bytes.end(), captions.bytes().begin(), captions.bytes().end());
  write_file_atomically(path, std::as_bytes(std::span(bytes)));
}

// The captions of one image. Error(bad_input) if one comes twice.
std::vector<std::string> checked_texts(std::span<CaptionRow> rows, const SourceFacts& facts) {
  std::vector<const CaptionRow*> sorted;
  for (const CaptionRow& row : rows) sorted.push_back(&row);
  std::ranges::stable_sort(sorted, {},
                           [](const CaptionRow* row) { return std::string_view(row->caption.text); });
  const auto same = std::ranges::adjacent_find(
      sorted, {}, [](const CaptionRow* row) { return std::string_view(row->caption.text); });
  if (same != sorted.end())
    throw Error(ErrorKind::bad_input,
                fmt::format("{} has the caption \"{}\" twice: {} and {}.",
                            facts.names[std::size_t(rows.front().image)], (*same)->caption.text,
                            (*same)->caption.where, (*std::next(same))->caption.where));
  std::vector<std::string> texts;
  for (CaptionRow& row : rows) texts.push_back(std::move(row.caption.text));
  return texts;
}

Captions read(const CaptionSource& source, const SourceFacts& facts) {
  std::vector<CaptionRow> rows = source.read();
  std::ranges::stable_sort(rows, {}, &CaptionRow::image);
  std::vector<std::vector<std::string>> texts(facts.names.size());
  for (auto begin = rows.begin(); begin != rows.end();) {
    const auto end =
        std::find_if(begin, rows.end(), [&](const CaptionRow& row) { return row.image != begin->image; });
    texts[std::size_t(begin->image)] = checked_texts({begin, end}, facts);
    begin = end;
  }
  return Captions(texts);
}

void check_uncaptioned(const Captions& captions, const CaptionSource& source, const SourceFacts& facts,
                       const CaptionOptions& options,
                       const std::function<void(const std::string& message)>& talk) {
  std::int64_t uncaptioned = 0;
  std::vector<std::string> named;
  for (int i = 0; i < captions.images(); ++i) {
    if (captions.count(i) > 0) continue;
    if (named.size() < kUncaptionedNamed) named.push_back(facts.names[std::size_t(i)]);
    ++uncaptioned;
  }
  if (uncaptioned == 0) return;
  const std::int64_t all = captions.images();
  const std::int64_t accepted = options.max_uncaptioned.value_or(std::max<std::int64_t>(all / 10, 1));
  const std::string message = fmt::format("{}: {} of {} images have no caption, for example {}", source.name,
                                          uncaptioned, all, fmt::join(named, ", "));
  if (uncaptioned == all)
    throw Error(ErrorKind::bad_input, fmt::format("{}; at least one must have one", message));
  if (uncaptioned > accepted)
    throw Error(ErrorKind::bad_input, fmt::format("{}; accepted are {}", message, accepted),
                {"max_uncaptioned"});
  if (talk) talk(message + "; these are trained without words");
}

}  // namespace

Captions prepare_captions(const SampleSource& source, const CachedSet& set, const CaptionOptions& options,
                          const std::function<void(const std::string& message)>& talk) {
  const bool is_table = options.from == CaptionsFrom::table;
  const CaptionSource found = is_table ? captions_in_table(options.table, source, set.facts, options.columns)
                                       : captions_with_images(source, set.facts, options.columns);
  ContentHash place, content;
  place.add(source.place.string());
  place.add(is_table ? resolved(options.table).string() : "");
  for (const std::string& column : options.columns) place.add(column);
  content.add(place.value());
  content.add(found.signature);
  for (const std::string& name : set.facts.names) content.add(name);
  const fs::path cache = cache_folder() / "captions" / fmt::format("{:016x}.bin", place.value());

  std::optional<Captions> captions = open_cache(cache, content.value());
  if (!captions) {
    write_cache(cache, content.value(), read(found, set.facts));
    captions = open_cache(cache, content.value());
  }
  if (!captions || captions->images() != set.dataset.count())
    throw Error(ErrorKind::io,
                fmt::format("The captions in {} cannot be read back as they were written.", cache.string()));
  check_uncaptioned(*captions, found, set.facts, options, talk);
  return std::move(*captions);
}

}  // namespace diffusion
