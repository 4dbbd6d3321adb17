#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

struct archive;
struct archive_entry;

namespace diffusion {

struct FreeArchive {
  void operator()(archive* a) const;
};
using ArchiveHandle = std::unique_ptr<archive, FreeArchive>;

// A reader for the file at `path`, to which formats are added before it is opened. Error(memory).
ArchiveHandle new_archive(const std::filesystem::path& path);
// Opens it, packed with gzip, bzip2, xz or zstd or not. Error(io) if that cannot be done, Error(bad_input)
// for what is no regular file; false where libarchive refuses, and archive_error_string() says why.
bool open_packed(archive* a, const std::filesystem::path& path);

// A tar file read once, from front to back: plain, or packed with gzip, bzip2, xz or zstd. Nothing is ever
// written to disk, and names are only names. Throws Error(io) if the file cannot be opened, Error(bad_input)
// naming it for anything that is no tar, or damaged.
class TarReader {
 public:
  explicit TarReader(const std::filesystem::path& path);
  ~TarReader();
  TarReader(TarReader&&) noexcept;
  TarReader& operator=(TarReader&&) noexcept;

  // Goes to the next regular file. False at the end.
  bool next();

  // Of the current file. A name that the system's character set cannot express is empty.
  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }

  // The content of the current file, once. Error(bad_input) if it has more than `most_bytes`, found before
  // memory is taken.
  std::vector<std::byte> read(std::uint64_t most_bytes);

 private:
  [[noreturn]] void fail() const;

  std::filesystem::path path_;
  ArchiveHandle archive_;
  std::string name_;
  std::uint64_t size_ = 0;
};

// Whether a name ends like that of a tar file: .tar, .tgz, .tar.gz, .tar.bz2, .tar.xz, .tar.zst.
bool is_tar_name(const std::string& name);

}  // namespace diffusion
