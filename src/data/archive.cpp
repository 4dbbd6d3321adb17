#include "data/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr std::size_t kBlockBytes = 256 * 1024;

std::string name_of(archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  if (name == nullptr) name = archive_entry_pathname_utf8(entry);
  return name == nullptr ? "" : name;
}

}  // namespace

void FreeArchive::operator()(archive* a) const {
  archive_read_free(a);
}

ArchiveHandle new_archive(const std::filesystem::path& path) {
  ArchiveHandle handle(archive_read_new());
  if (!handle) throw Error(ErrorKind::memory, fmt::format("Not enough memory to read {}.", path.string()));
  return handle;
}

bool open_packed(archive* a, const std::filesystem::path& path) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw Error(ErrorKind::bad_input, fmt::format("{} is not a regular file.", path.string()));
  // Not "all" filters: some of them start other programs.
  archive_read_support_filter_gzip(a);
  archive_read_support_filter_bzip2(a);
  archive_read_support_filter_xz(a);
  archive_read_support_filter_zstd(a);
  if (archive_read_open_filename(a, path.c_str(), kBlockBytes) == ARCHIVE_OK) return true;
  const int reason = archive_errno(a);
  if (reason == ENOENT || reason == EACCES)
    throw Error(ErrorKind::io, fmt::format("Cannot open {}: {}.", path.string(), std::strerror(reason)));
  return false;
}

TarReader::TarReader(const std::filesystem::path& path) : path_(path), archive_(new_archive(path)) {
  archive_read_support_format_tar(archive_.get());
  if (!open_packed(archive_.get(), path_)) fail();
}

TarReader::~TarReader() = default;
TarReader::TarReader(TarReader&&) noexcept = default;
TarReader& TarReader::operator=(TarReader&&) noexcept = default;

void TarReader::fail() const {
  const char* reason = archive_error_string(archive_.get());
  throw Error(ErrorKind::bad_input, fmt::format("{} is not a tar file that can be read: {}.", path_.string(),
                                                reason != nullptr ? reason : "unknown reason"));
}

bool TarReader::next() {
  while (true) {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(archive_.get(), &entry);
    if (result == ARCHIVE_EOF) return false;
    if (result < ARCHIVE_WARN) fail();  // a warning is about attributes that do not matter here
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr) continue;
    name_ = name_of(entry);
    size_ = std::uint64_t(std::max<la_int64_t>(archive_entry_size(entry), 0));
    return true;
  }
}

std::vector<std::byte> TarReader::read(std::uint64_t most_bytes) {
  if (size_ > most_bytes)
    throw Error(ErrorKind::bad_input, fmt::format("{} in {} has {} bytes; accepted are at most {}.", name_,
                                                  path_.string(), size_, most_bytes));
  std::vector<std::byte> content;
  // The size is a promise of the header: memory is taken as the bytes come.
  while (content.size() < size_) {
    const std::size_t before = content.size();
    content.resize(
        std::min<std::size_t>(std::size_t(size_), before + std::max<std::size_t>(before, 1 << 20)));
    const la_ssize_t got =
        archive_read_data(archive_.get(), content.data() + before, content.size() - before);
    if (got < 0) fail();
    content.resize(before + std::size_t(got));
    if (got == 0)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} is truncated: {} should have {} bytes, but only {} follow.", path_.string(),
                              name_, size_, content.size()));
  }
  return content;
}

bool is_tar_name(const std::string& name) {
  constexpr std::array<std::string_view, 6> kEndings{".tar",     ".tgz",    ".tar.gz",
                                                     ".tar.bz2", ".tar.xz", ".tar.zst"};
  return std::ranges::any_of(kEndings, [&](std::string_view ending) { return name.ends_with(ending); });
}

}  // namespace diffusion
