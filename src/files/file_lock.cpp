#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <diffusion/error.h>
#include "files/file_descriptor.h"
#include "files/fs.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

// What the owner wrote into the file; it may be empty if the owner is just starting.
std::string owner(const FileDescriptor& file) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(file.get(), text.data(), text.size(), 0);
  std::string digits(text.data(), size > 0 ? std::size_t(size) : 0);
  digits.erase(std::min(digits.find_first_not_of("0123456789"), digits.size()));
  return digits.empty() ? "another process" : "process " + digits;
}

}  // namespace

FileLock::FileLock(const fs::path& path)
    : file_(std::make_unique<FileDescriptor>(open_file(path, O_RDWR | O_CREAT))) {
  int result = 0;
  do {
    result = ::flock(file_->get(), LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EWOULDBLOCK) {
    throw Error(ErrorKind::usage,
                fmt::format("{} is locked by {}: only one process at a time may write there.", path.string(),
                            owner(*file_)));
  }
  if (result != 0) throw_io_error("lock", path, errno);

  if (::ftruncate(file_->get(), 0) != 0) throw_io_error("write", path, errno);
  const std::string text = fmt::format("{}\n", ::getpid());
  write_all(*file_, std::as_bytes(std::span(text)), path);
}

FileLock::~FileLock() = default;

}  // namespace diffusion
