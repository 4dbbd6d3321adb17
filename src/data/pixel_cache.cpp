#include "data/pixel_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include <diffusion/error.h>
#include "data/byte_fields.h"
#include "data/content_hash.h"
#include "files/file_descriptor.h"
#include "files/mapped_file.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMagic = 0x3130584950464944;  // "DIFPIX01": the last two digits are the version
constexpr std::size_t kHeaderBytes = 5 * 8;
constexpr std::size_t kPixelsBegin = 4096;  // a page, so that images begin where mapping does
constexpr std::uint64_t kMostBytesToVerify = std::uint64_t(1) << 30;
constexpr std::uint64_t kMaxSide = 65'535;

struct Header {
  std::uint64_t metadata_begin = 0, metadata_bytes = 0, metadata_hash = 0, signature = 0;
};

std::vector<std::uint8_t> to_bytes(const Header& header) {
  FieldWriter out;
  for (const std::uint64_t field :
       {kMagic, header.metadata_begin, header.metadata_bytes, header.metadata_hash, header.signature})
    out.number(field);
  return out.bytes();
}

std::uint64_t content_hash_of(const Dataset& dataset, std::span<const std::uint64_t> image_hashes) {
  ContentHash hash;
  for (const int extent : {dataset.height, dataset.width, dataset.channels}) hash.add(std::uint64_t(extent));
  for (const std::uint64_t image_hash : image_hashes) hash.add(image_hash);
  for (const std::uint16_t label : dataset.labels) hash.add(std::uint64_t(label));
  return hash.value();
}

void write_texts(FieldWriter& out, const std::vector<std::string>& texts) {
  out.number(texts.size());
  for (const std::string& text : texts) out.text(text);
}

std::vector<std::string> read_texts(FieldReader& in) {
  std::vector<std::string> texts(in.count(4));
  for (std::string& text : texts) text = in.text();
  return texts;
}

std::vector<std::uint8_t> metadata_of(const CachedSet& set, std::span<const std::uint64_t> image_hashes) {
  const Dataset& dataset = set.dataset;
  FieldWriter out;
  for (const int number :
       {dataset.height, dataset.width, dataset.channels, dataset.margin[0], dataset.margin[1],
        set.facts.smallest[0], set.facts.smallest[1], set.facts.largest[0], set.facts.largest[1]})
    out.number(std::uint64_t(number), 4);
  out.number(content_hash_of(dataset, image_hashes));
  out.number(image_hashes.size());
  for (const std::uint64_t hash : image_hashes) out.number(hash);
  out.number(dataset.labels.size());
  for (const std::uint16_t label : dataset.labels) out.number(label, 2);
  write_texts(out, dataset.class_names);
  write_texts(out, set.facts.names);
  out.number(set.facts.broken.size());
  for (const BrokenFile& broken : set.facts.broken) {
    out.text(broken.name);
    out.text(broken.reason);
  }
  return out.bytes();
}

struct Metadata {
  CachedSet set;
  std::vector<std::uint64_t> image_hashes;
};

std::optional<Metadata> parse_metadata(std::span<const std::uint8_t> bytes) {
  FieldReader in(bytes);
  Metadata metadata;
  Dataset& dataset = metadata.set.dataset;
  SourceFacts& facts = metadata.set.facts;
  for (int* number :
       {&dataset.height, &dataset.width, &dataset.channels, &dataset.margin[0], &dataset.margin[1],
        &facts.smallest[0], &facts.smallest[1], &facts.largest[0], &facts.largest[1]})
    *number = int(in.number(4));
  dataset.content_hash = in.number();
  metadata.image_hashes.resize(in.count(8));
  for (std::uint64_t& hash : metadata.image_hashes) hash = in.number();
  dataset.labels.resize(in.count(2));
  for (std::uint16_t& label : dataset.labels) label = std::uint16_t(in.number(2));
  dataset.class_names = read_texts(in);
  facts.names = read_texts(in);
  facts.broken.resize(in.count(8));
  for (BrokenFile& broken : facts.broken) {
    broken.name = in.text();
    broken.reason = in.text();
  }
  const auto is_side = [](int side) { return side > 0 && std::uint64_t(side) <= kMaxSide; };
  const std::size_t count = metadata.image_hashes.size();
  if (!in.complete() || !is_side(dataset.height) || !is_side(dataset.width) || dataset.channels < 1 ||
      dataset.channels > 4 || count > std::size_t(std::numeric_limits<int>::max()) ||
      facts.names.size() != count || (!dataset.labels.empty() && dataset.labels.size() != count))
    return std::nullopt;
  return metadata;
}

bool pixels_are_intact(const Dataset& dataset, std::span<const std::uint64_t> image_hashes) {
  const std::uint64_t every = dataset.pixels.size() / kMostBytesToVerify + 1;
  for (std::size_t i = 0; i < image_hashes.size(); i += every)
    if (hash_of(dataset.image(int(i))) != image_hashes[i]) return false;
  return true;
}

void write_at(const FileDescriptor& file, std::uint64_t offset, std::span<const std::uint8_t> bytes,
              const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file.get(), bytes.data(), bytes.size(), off_t(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw_io_error("write", path, written == 0 ? ENOSPC : errno);
    bytes = bytes.subspan(std::size_t(written));
    offset += std::uint64_t(written);
  }
}

}  // namespace

std::optional<CachedSet> open_pixel_cache(const fs::path& path, std::uint64_t signature) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return std::nullopt;
  MappedFile file(path);
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(file.bytes().data()), file.bytes().size());
  if (bytes.size() < kPixelsBegin) return std::nullopt;
  FieldReader in(bytes.first(kHeaderBytes));
  const std::uint64_t magic = in.number();
  const Header header{in.number(), in.number(), in.number(), in.number()};
  if (magic != kMagic || header.signature != signature || header.metadata_begin < kPixelsBegin ||
      header.metadata_begin > bytes.size() || header.metadata_bytes != bytes.size() - header.metadata_begin)
    return std::nullopt;
  const auto metadata_bytes = bytes.subspan(std::size_t(header.metadata_begin));
  if (hash_of(metadata_bytes) != header.metadata_hash) return std::nullopt;
  std::optional<Metadata> metadata = parse_metadata(metadata_bytes);
  if (!metadata) return std::nullopt;

  Dataset& dataset = metadata->set.dataset;
  const std::size_t pixel_bytes = std::size_t(header.metadata_begin) - kPixelsBegin;
  const std::uint64_t image_bytes =
      std::uint64_t(dataset.height) * std::uint64_t(dataset.width) * std::uint64_t(dataset.channels);
  if (pixel_bytes != image_bytes * metadata->image_hashes.size()) return std::nullopt;
  dataset.pixels = PixelStore(std::move(file), kPixelsBegin, pixel_bytes);
  if (!pixels_are_intact(dataset, metadata->image_hashes)) return std::nullopt;
  return std::move(metadata->set);
}

PixelCacheWriter::PixelCacheWriter(const fs::path& path, std::size_t image_bytes, std::int64_t expected)
    : path_(path), temporary_(unique_sibling(path, ".tmp-")), image_bytes_(image_bytes) {
  file_ = std::make_unique<FileDescriptor>(open_file(temporary_, O_RDWR | O_CREAT | O_EXCL));
  const std::uint64_t bytes = kPixelsBegin + std::uint64_t(expected) * image_bytes;
  // Not every file system can reserve room; then a full disk shows when it is full.
  if (::fallocate(file_->get(), 0, 0, off_t(bytes)) != 0 && (errno == ENOSPC || errno == EFBIG)) {
    const int reason = errno;
    ::unlink(temporary_.c_str());
    throw_io_error(fmt::format("reserve {} MB for prepared images in", (bytes + 999'999) / 1'000'000),
                   parent_of(path_), reason);
  }
}

PixelCacheWriter::~PixelCacheWriter() {
  if (file_) ::unlink(temporary_.c_str());
}

void PixelCacheWriter::write(std::int64_t index, std::span<const std::uint8_t> image) {
  write_at(*file_, kPixelsBegin + std::uint64_t(index) * image_bytes_, image, temporary_);
}

void PixelCacheWriter::move(std::int64_t from, std::int64_t to) {
  std::vector<std::uint8_t> image(image_bytes_);
  std::size_t done = 0;
  while (done < image.size()) {
    const auto offset = off_t(kPixelsBegin + std::uint64_t(from) * image_bytes_ + done);
    const ssize_t got = ::pread(file_->get(), image.data() + done, image.size() - done, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw_io_error("read", temporary_, got == 0 ? EIO : errno);
    done += std::size_t(got);
  }
  write(to, image);
}

void PixelCacheWriter::commit(const CachedSet& set, std::span<const std::uint64_t> image_hashes,
                              std::uint64_t signature) {
  const std::vector<std::uint8_t> metadata = metadata_of(set, image_hashes);
  Header header{kPixelsBegin + image_hashes.size() * image_bytes_, metadata.size(), hash_of(metadata),
                signature};
  if (::ftruncate(file_->get(), off_t(header.metadata_begin)) != 0)
    throw_io_error("write", temporary_, errno);
  write_at(*file_, header.metadata_begin, metadata, temporary_);
  write_at(*file_, 0, to_bytes(header), temporary_);
  sync_file(*file_, temporary_);
  file_->close(temporary_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_io_error("rename a new file to", path_, errno);
  file_.reset();  // published: nothing to remove
  sync_directory(parent_of(path_));
}

}  // namespace diffusion
