#include "data/packed_text.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};

[[noreturn]] void fail_unpacking(const std::filesystem::path& path, archive* a) {
  const char* reason = archive_error_string(a);
  throw Error(ErrorKind::bad_input, fmt::format("{} cannot be unpacked: {}.", path.string(),
                                                reason != nullptr ? reason : "unknown reason"));
}

}  // namespace

std::string read_packed_text(const std::filesystem::path& path, std::uint64_t most_bytes) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw Error(ErrorKind::bad_input, fmt::format("{} is not a regular file.", path.string()));
  if (std::filesystem::file_size(path, failure) == 0 && !failure) return {};  // which libarchive refuses
  const std::unique_ptr<archive, FreeArchive> owner(archive_read_new());
  archive* const a = owner.get();
  if (a == nullptr)
    throw Error(ErrorKind::memory, fmt::format("Not enough memory to read {}.", path.string()));
  archive_read_support_filter_gzip(a);
  archive_read_support_filter_bzip2(a);
  archive_read_support_filter_xz(a);
  archive_read_support_filter_zstd(a);
  archive_read_support_format_raw(a);
  if (archive_read_open_filename(a, path.c_str(), kReadBytes) != ARCHIVE_OK) {
    const int reason = archive_errno(a);
    if (reason == ENOENT || reason == EACCES)
      throw Error(ErrorKind::io, fmt::format("Cannot open {}: {}.", path.string(), std::strerror(reason)));
    fail_unpacking(path, a);
  }
  archive_entry* entry = nullptr;
  if (archive_read_next_header(a, &entry) != ARCHIVE_OK) fail_unpacking(path, a);
  std::string content;
  while (true) {
    const std::size_t before = content.size();
    content.resize(before + kReadBytes);
    const la_ssize_t got = archive_read_data(a, content.data() + before, kReadBytes);
    if (got < 0) fail_unpacking(path, a);
    content.resize(before + std::size_t(got));
    if (content.size() > most_bytes)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} has more than the {} bytes accepted.", path.string(), most_bytes));
    if (got == 0) return content;
  }
}

}  // namespace diffusion
