#include "data/packed_text.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <diffusion/error.h>
#include "data/archive.h"

namespace diffusion {

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

[[noreturn]] void fail_unpacking(const std::filesystem::path& path, archive* a) {
  const char* reason = archive_error_string(a);
  throw Error(ErrorKind::bad_input, fmt::format("{} cannot be unpacked: {}.", path.string(),
                                                reason != nullptr ? reason : "unknown reason"));
}

}  // namespace

std::string read_packed_text(const std::filesystem::path& path, std::uint64_t most_bytes) {
  std::error_code failure;
  if (std::filesystem::file_size(path, failure) == 0 && !failure) return {};  // which libarchive refuses
  const ArchiveHandle owner = new_archive(path);
  archive* const a = owner.get();
  archive_read_support_format_raw(a);
  if (!open_packed(a, path)) fail_unpacking(path, a);
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
