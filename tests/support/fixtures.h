#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <diffusion/error.h>

// Helpers of the tests in this folder; implemented in fixtures_test.cpp, not part of the library.
namespace diffusion::fixtures {

using Bytes = std::vector<std::uint8_t>;

// A new, empty folder that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Sets (or with nullopt removes) an environment variable, and puts the old value back at the end.
class ScopedEnvironment {
 public:
  ScopedEnvironment(const std::string& name, const std::optional<std::string>& value);
  ScopedEnvironment(const ScopedEnvironment&) = delete;
  ScopedEnvironment& operator=(const ScopedEnvironment&) = delete;
  ~ScopedEnvironment();

 private:
  std::string name_;
  std::optional<std::string> before_;
};

std::filesystem::path write_file(const std::filesystem::path& path, const Bytes& bytes);
Bytes gzip(const Bytes& bytes);
Bytes idx(const std::vector<std::uint32_t>& extents, const Bytes& values);
Bytes operator+(Bytes a, const Bytes& b);

// A file of a tar archive, and a tar archive.
struct Member {
  std::string name;
  Bytes content;
};
Bytes tar(const std::vector<Member>& members);
Bytes text(const std::string& characters);

// Writes images [count, 2, 2], all pixels `value`, and labels 0, 1, 2, 0, ... under the four plain standard
// names.
void write_idx_set(const std::filesystem::path& folder, std::uint32_t count, std::uint8_t value);

// The Error that `action` throws; a test failure if it throws none.
Error error_of(const std::function<void()>& action);

// The folder that holds fashion-mnist/, if there is one on this machine.
std::optional<std::filesystem::path> real_data();

}  // namespace diffusion::fixtures
