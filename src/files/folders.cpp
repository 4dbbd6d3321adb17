#include "files/folders.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "files/file_descriptor.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

void check(const std::error_code& error, std::string_view operation, const fs::path& path) {
  if (error) throw_io_error(operation, path, error.value());
}

fs::file_type type_of(const fs::path& path) {
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  if (type == fs::file_type::none) check(error, "look at", path);
  return type;
}

// What is below `root`, as an iterator of that kind goes through it.
template <class Iterator>
std::vector<fs::directory_entry> list(const fs::path& root) {
  std::vector<fs::directory_entry> entries;
  std::error_code error;
  for (Iterator entry(root, error), end; !error && entry != end; entry.increment(error))
    entries.push_back(*entry);
  check(error, "list", root);
  return entries;
}

}  // namespace

bool path_exists(const fs::path& path) {
  return type_of(path) != fs::file_type::not_found;
}

bool is_folder(const fs::path& path) {
  return type_of(path) == fs::file_type::directory;
}

bool is_plain_file(const fs::path& path) {
  return type_of(path) == fs::file_type::regular;
}

std::uint64_t bytes_of_file(const fs::path& path) {
  std::error_code error;
  const std::uint64_t bytes = fs::file_size(path, error);
  check(error, "read the size of", path);
  return bytes;
}

std::uint64_t free_bytes(const fs::path& folder) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  check(error, "read the free space of", folder);
  return space.available;
}

bool on_one_disk(const fs::path& a, const fs::path& b) {
  const auto disk = [](const fs::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) throw_io_error("look at", path, errno);
    return status.st_dev;
  };
  return disk(a) == disk(b);
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : list<fs::directory_iterator>(folder)) paths.push_back(entry.path());
  std::ranges::sort(paths, {}, &fs::path::native);
  return paths;
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : list<fs::recursive_directory_iterator>(folder))
    if (is_plain_file(entry.path())) files.push_back(entry.path().lexically_relative(folder));
  std::ranges::sort(files);
  return files;
}

fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path plain = fs::weakly_canonical(path, error);
  check(error, "follow", path);
  return plain;
}

fs::path from_root(const fs::path& path) {
  std::error_code error;
  fs::path absolute = fs::absolute(path, error);
  check(error, "find the current folder for", path);
  return absolute;
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directory(path, error);
  check(error, "create", path);
}

void make_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  check(error, "create", path);
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  check(error, "remove", path);
}

void replace_link(const fs::path& link, const fs::path& target) {
  const fs::path fresh = unique_sibling(link, kTemporaryPrefix);
  if (::symlink(target.c_str(), fresh.c_str()) != 0) throw_io_error("create the link", link, errno);
  if (::rename(fresh.c_str(), link.c_str()) != 0) {
    const int reason = errno;
    ::unlink(fresh.c_str());
    throw_io_error("rename a new link to", link, reason);
  }
  sync_directory(parent_of(link));
}

}  // namespace diffusion
