#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <diffusion/error.h>
#include <diffusion/image.h>
#include "formats/json.h"

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

// What tests/golden/pillow_goldens.py wrote: the picture that it also computes, the member `key` of
// pillow_images.json, an array of it as pixels, and a file.
Image synthetic_picture(int width, int height, int channels);
Json pillow_golden(std::string_view key);
std::vector<std::uint8_t> golden_pixels(const Json& array);
std::vector<std::byte> pillow_file(std::string_view name);

// A decoder must refuse every beginning of `bytes` (Error(bad_input) with the source's name), and do with
// every flipped bit either the same or decode a sound picture. Returns how many flips were refused.
using Decode = std::function<Image(std::span<const std::byte>, const std::string& source_name)>;
void expect_refuses_truncation(std::span<const std::byte> bytes, const Decode& decode);
std::size_t expect_survives_damage(std::span<const std::byte> bytes, const Decode& decode);

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
