#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// What the tests of src/io share; not part of the library.
namespace diffusion::scratch {

// A new folder that is removed at the end.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  std::vector<std::string> files() const;  // sorted names, not of subfolders

 private:
  std::filesystem::path path_;
};

// Runs `action`, which must throw an Error of that kind, and returns the message.
std::string error_of(ErrorKind kind, const std::function<void()>& action);

// Limits the size of files this process can write, as a full disk would; undone at the end.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::size_t bytes);
  ~FileSizeLimit();
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  std::size_t before_ = 0;
  void (*handler_before_)(int) = nullptr;
};

}  // namespace diffusion::scratch
