#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diffusion {

class FileDescriptor;

// Files that are either old or new, never in between. Unless stated otherwise a failure is Error(io) that
// names the operation, the path and the system's reason.

// The whole content. A file of more than `max_bytes` is Error(bad_input), found without reading further.
std::string read_text_file(const std::filesystem::path& path, std::uint64_t max_bytes);
std::vector<std::byte> read_file(const std::filesystem::path& path, std::uint64_t max_bytes);

// Creates or overwrites in place: for files inside an AtomicDirectory. Not durable by itself.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file(const std::filesystem::path& path, std::string_view text);

// Replaces the file as a whole: temporary file in the same directory, write, fsync, rename, fsync of the
// directory. When it fails the old content stays and the temporary is gone; when it returns the new content
// survives a power cut. A symbolic link is followed; anything but a regular file at `path` is refused.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

// A directory that appears under its final name complete or not at all.
//
//   AtomicDirectory checkpoint("run/step-100");
//   write_file(checkpoint.path() / "state.json", text);
//   checkpoint.commit();
//
// Until commit() everything lives in <parent>/.tmp-<name>-<pid>-<random>, which the destructor removes if
// commit() never succeeded. The parent must exist. A final path that is there but is no directory is
// Error(usage).
class AtomicDirectory {
 public:
  explicit AtomicDirectory(const std::filesystem::path& final_path);
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  // Where to write now. Not valid after commit().
  const std::filesystem::path& path() const { return temporary_path_; }

  // Makes every file and directory below durable, then puts the directory in place. An older directory of
  // that name is renamed to .old-<name>-<pid>-<random>, and removed after the new one is in place and
  // durable. Between these two renames the name is absent for a moment; a crash there is repaired by
  // remove_stale_temporaries().
  void commit();

 private:
  std::filesystem::path final_path_;
  std::filesystem::path temporary_path_;
  bool committed_ = false;
};

// Cleans up after crashes: removes the .tmp-<name>-<pid>-<random> files and directories in `parent`, and the
// .old-<name>-... ones, except that an .old-<name> whose <name> is missing is renamed back to <name>. Nothing
// else is touched. Call it only while no other process writes there, that is, under a FileLock.
void remove_stale_temporaries(const std::filesystem::path& parent);

// Exclusive use of something, say a run directory, by one process: flock(2) on a file that holds the owner's
// process id. The lock ends with the object or the process, however it dies; the file stays. Does not wait:
// Error(usage) naming the file and the owner if another holds it.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::unique_ptr<FileDescriptor> file_;
};

}  // namespace diffusion
