#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "files/file_descriptor.h"

namespace diffusion {

// A file that is written piece by piece and appears under its final name whole or not at all.
//
//   AtomicFile file("samples.npy");
//   for (...) file.append(piece);
//   file.commit();
//
// Until commit() it is <parent>/.tmp-<name>-<pid>-<random>, which the destructor removes if commit() never
// succeeded. A symbolic link is followed; anything but a regular file at `path` is refused. Every failure is
// Error(io) that names the operation, the path and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;

  void append(std::span<const std::byte> bytes);

  // Makes the content durable, puts it in place of an older file, and makes that durable.
  void commit();

 private:
  std::filesystem::path target_, temporary_;  // temporary_ is empty after commit()
  FileDescriptor file_;
};

}  // namespace diffusion
