#include "files/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include <diffusion/error.h>
#include "files/file_descriptor.h"

namespace diffusion {

MappedFile::MappedFile(const std::filesystem::path& path) {
  // O_NONBLOCK: a named pipe must be refused below, not waited for.
  const FileDescriptor file = open_file(path, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_io_error("read", path, errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::io, fmt::format("Cannot read {}: it is not a regular file.", path.string()));
  }
  if (status.st_size == 0) return;  // mmap refuses length 0
  void* address = ::mmap(nullptr, std::size_t(status.st_size), PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) throw_io_error("map", path, errno);
  bytes_ = {static_cast<const std::byte*>(address), std::size_t(status.st_size)};
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace diffusion
