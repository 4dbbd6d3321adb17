#include "files/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include <diffusion/error.h>

namespace diffusion {

namespace fs = std::filesystem;

namespace {

fs::path file_to_replace(const fs::path& path) {
  fs::path target = follow_links(path);
  struct stat status {};
  if (::stat(target.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    throw Error(ErrorKind::io, fmt::format("Cannot replace {}: it is not a regular file.", path.string()));
  return target;
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path)
    : target_(file_to_replace(path)),
      temporary_(unique_sibling(target_, kTemporaryPrefix)),
      file_(open_file(temporary_, O_WRONLY | O_CREAT | O_EXCL)) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)) {}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::append(std::span<const std::byte> bytes) {
  write_all(file_, bytes, temporary_);
}

void AtomicFile::commit() {
  sync_file(file_, temporary_);
  file_.close(temporary_);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0)
    throw_io_error("rename a new file to", target_, errno);
  temporary_.clear();
  sync_directory(parent_of(target_));
}

}  // namespace diffusion
