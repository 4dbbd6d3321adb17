#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace diffusion {

// The system calls under files/fs.h, for the implementations of src/io and src/data. Every failure is
// Error(io) of the form "Cannot <operation> <path>: <what the system says>."

[[noreturn]] void throw_io_error(std::string_view operation, const std::filesystem::path& path,
                                 int error_number);

// Owns an open file and closes it.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const { return fd_; }
  // Closes now and reports what a delayed write may only say at this point (network file systems).
  void close(const std::filesystem::path& path);

 private:
  int fd_ = -1;
};

// open(2), close-on-exec, mode 0666 before the umask.
FileDescriptor open_file(const std::filesystem::path& path, int flags);

// Writes all bytes, however many calls it takes.
void write_all(const FileDescriptor& file, std::span<const std::byte> bytes,
               const std::filesystem::path& path);

void sync_file(const FileDescriptor& file, const std::filesystem::path& path);
void sync_directory(const std::filesystem::path& path);

// Of what is not yet under its final name, for unique_sibling() and remove_stale_temporaries().
inline constexpr std::string_view kTemporaryPrefix = ".tmp-";

// "<prefix><name>-<pid>-<16 hex digits>": a sibling of `path` that nobody else uses.
std::filesystem::path unique_sibling(const std::filesystem::path& path, std::string_view prefix);

// `path` with symbolic links followed, so that a replacement changes the file and not the link.
std::filesystem::path follow_links(const std::filesystem::path& path);

// The directory that holds `path`: "." for a bare name.
std::filesystem::path parent_of(const std::filesystem::path& path);

}  // namespace diffusion
