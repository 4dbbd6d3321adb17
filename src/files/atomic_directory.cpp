#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include <diffusion/error.h>
#include "files/file_descriptor.h"
#include "files/folders.h"
#include "files/fs.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kOldPrefix = ".old-";

// "a/b/" -> "a/b", links followed.
fs::path directory_to_replace(const fs::path& given) {
  fs::path path = given.lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (!path.has_filename() || path.filename() == "." || path.filename() == "..") {
    throw Error(ErrorKind::usage,
                fmt::format("\"{}\" cannot be written as a new directory: give it a name.", given.string()));
  }
  path = follow_links(path);
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::exists(status) && !fs::is_directory(status)) {
    throw Error(ErrorKind::usage,
                fmt::format("{} exists and is not a directory: it is not replaced.", path.string()));
  }
  return path;
}

// As fs::exists(), but a link is there even if what it leads to is not.
bool is_there(const fs::path& path) {
  std::error_code error;
  const fs::file_type type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::none) throw_io_error("look at", path, error.value());
  return type != fs::file_type::not_found;
}

void rename_directory(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    throw_io_error(fmt::format("rename {} to", from.string()), to, errno);
  }
}

void sync_tree(const fs::path& root) {
  std::error_code error;
  fs::recursive_directory_iterator entry(root, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const fs::file_type type = entry->symlink_status(error).type();
    if (error) break;
    if (type == fs::file_type::regular) sync_file(open_file(entry->path(), O_RDONLY), entry->path());
    if (type == fs::file_type::directory) sync_directory(entry->path());
  }
  if (error) throw_io_error("list", root, error.value());
  sync_directory(root);
}

// The <name> of "<prefix><name>-<digits>-<16 hex digits>", or nothing if `file` is not of that form.
std::optional<std::string> name_inside(const std::string& file, std::string_view prefix) {
  constexpr std::size_t kRandomDigits = 16;
  if (!file.starts_with(prefix)) return std::nullopt;
  const std::size_t random_dash = file.rfind('-');
  const std::size_t pid_dash = random_dash == 0 ? std::string::npos : file.rfind('-', random_dash - 1);
  if (pid_dash == std::string::npos || pid_dash <= prefix.size()) return std::nullopt;
  const std::string pid = file.substr(pid_dash + 1, random_dash - pid_dash - 1);
  const std::string random = file.substr(random_dash + 1);
  if (pid.empty() || pid.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  if (random.size() != kRandomDigits || random.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return std::nullopt;
  }
  return file.substr(prefix.size(), pid_dash - prefix.size());
}

}  // namespace

AtomicDirectory::AtomicDirectory(const fs::path& final_path)
    : final_path_(directory_to_replace(final_path)),
      temporary_path_(unique_sibling(final_path_, kTemporaryPrefix)) {
  std::error_code error;
  if (!fs::create_directory(temporary_path_, error)) {
    throw_io_error("create", temporary_path_, error ? error.value() : EEXIST);
  }
}

AtomicDirectory::~AtomicDirectory() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(temporary_path_, ignored);
}

void AtomicDirectory::commit() {
  if (committed_) {
    throw Error(ErrorKind::internal,
                fmt::format("The directory {} was committed twice.", final_path_.string()));
  }
  const fs::path parent = parent_of(final_path_);
  sync_tree(temporary_path_);

  std::optional<fs::path> old_path;
  if (is_there(final_path_)) {
    old_path = unique_sibling(final_path_, kOldPrefix);
    rename_directory(final_path_, *old_path);
  }
  if (::rename(temporary_path_.c_str(), final_path_.c_str()) != 0) {
    const int reason = errno;
    if (old_path) rename_directory(*old_path, final_path_);
    throw_io_error("rename the new directory to", final_path_, reason);
  }
  committed_ = true;
  sync_directory(parent);
  if (old_path) remove_tree(*old_path);
}

void remove_stale_temporaries(const fs::path& parent) {
  bool changed = false;
  for (const fs::path& path : entries_of(parent)) {
    const std::string file = path.filename().string();
    if (const auto name = name_inside(file, kOldPrefix)) {
      if (is_there(parent / *name)) {
        remove_tree(path);
      } else {
        rename_directory(path, parent / *name);
      }
      changed = true;
    } else if (name_inside(file, kTemporaryPrefix)) {
      remove_tree(path);
      changed = true;
    }
  }
  if (changed) sync_directory(parent);
}

}  // namespace diffusion
