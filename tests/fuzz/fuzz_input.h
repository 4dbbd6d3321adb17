#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

// What the fuzz targets share. A target stops with a report when a reader crashes, or throws what it should
// not.
namespace diffusion::fuzz {

inline const std::string kSourceName = "input.file";

// Runs a reader. It may refuse its input: with Error(bad_input), in a message that contains `source_name`.
void expect_only_bad_input(const std::string& source_name, const std::function<void()>& read);

// A file that lives in memory, for readers that take a path.
class File {
 public:
  explicit File(std::span<const std::uint8_t> bytes);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::filesystem::path path() const;

 private:
  int fd_;
};

inline std::span<const std::byte> bytes_of(const std::uint8_t* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

}  // namespace diffusion::fuzz
