#include "files/fs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <diffusion/error.h>
#include "files/atomic_file.h"
#include "files/file_descriptor.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

template <class Container>
Container read_all(const fs::path& path, std::uint64_t max_bytes) {
  const FileDescriptor file = open_file(path, O_RDONLY);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_io_error("read", path, errno);

  const auto refuse = [&] {
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is larger than the {} bytes accepted for this kind of file.", path.string(),
                            max_bytes));
  };
  const std::uint64_t expected = S_ISREG(status.st_mode) ? std::uint64_t(status.st_size) : 0;
  if (expected > max_bytes) refuse();

  // The size is only a first guess: pipes and /proc have none, and the file may grow meanwhile. One byte more
  // than expected lets the read that finds the end come without growing the memory.
  Container content;
  content.resize(std::size_t(expected) + 1);
  std::size_t size = 0;
  while (true) {
    if (size == content.size()) content.resize(content.size() + std::max<std::size_t>(content.size(), 65536));
    const ssize_t got = ::read(file.get(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_io_error("read", path, errno);
    if (got == 0) break;
    size += std::size_t(got);
    if (size > max_bytes) refuse();
  }
  content.resize(size);
  return content;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

std::string read_text_file(const fs::path& path, std::uint64_t max_bytes) {
  return read_all<std::string>(path, max_bytes);
}

std::vector<std::byte> read_file(const fs::path& path, std::uint64_t max_bytes) {
  return read_all<std::vector<std::byte>>(path, max_bytes);
}

void write_file(const fs::path& path, std::span<const std::byte> bytes) {
  FileDescriptor file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  write_all(file, bytes, path);
  file.close(path);
}

void write_file(const fs::path& path, std::string_view text) {
  write_file(path, bytes_of(text));
}

void write_file_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.append(bytes);
  file.commit();
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  write_file_atomically(path, bytes_of(text));
}

}  // namespace diffusion
