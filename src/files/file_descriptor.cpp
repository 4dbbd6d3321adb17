#include "files/file_descriptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <random>
#include <system_error>
#include <utility>

#include <diffusion/error.h>

namespace diffusion {

namespace fs = std::filesystem;

void throw_io_error(std::string_view operation, const fs::path& path, int error_number) {
  throw Error(ErrorKind::io, fmt::format("Cannot {} {}: {}.", operation, path.string(),
                                         std::generic_category().message(error_number)));
}

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

void FileDescriptor::close(const fs::path& path) {
  // After EINTR Linux has closed the descriptor all the same, so there is nothing to repeat.
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) throw_io_error("close", path, errno);
}

FileDescriptor open_file(const fs::path& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) throw_io_error((flags & O_CREAT) != 0 ? "create" : "open", path, errno);
  return FileDescriptor(fd);
}

void write_all(const FileDescriptor& file, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_io_error("write", path, errno);
    if (written == 0) throw_io_error("write", path, ENOSPC);
    bytes = bytes.subspan(std::size_t(written));
  }
}

void sync_file(const FileDescriptor& file, const fs::path& path) {
  int result = 0;
  do {
    result = ::fsync(file.get());
  } while (result != 0 && errno == EINTR);
  if (result != 0) throw_io_error("fsync", path, errno);
}

void sync_directory(const fs::path& path) {
  const FileDescriptor directory = open_file(path, O_RDONLY | O_DIRECTORY);
  // Some file systems cannot sync a directory and say EINVAL; there the rename is as durable as it gets.
  if (::fsync(directory.get()) != 0 && errno != EINVAL && errno != EINTR)
    throw_io_error("fsync", path, errno);
}

fs::path unique_sibling(const fs::path& path, std::string_view prefix) {
  std::random_device device;
  const std::uint64_t random = (std::uint64_t(device()) << 32) | device();
  return parent_of(path) /
         fmt::format("{}{}-{}-{:016x}", prefix, path.filename().string(), ::getpid(), random);
}

fs::path follow_links(const fs::path& path) {
  std::error_code error;
  if (fs::symlink_status(path, error).type() != fs::file_type::symlink) return path;
  const fs::path target = fs::canonical(path, error);
  if (error) throw_io_error("follow the link", path, error.value());
  return target;
}

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace diffusion
