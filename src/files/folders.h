#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace diffusion {

// What is in the file system, and changes to its folders and links: std::filesystem, whose own errors do not
// say what the program was doing, with those of files/fs.h. Every failure is Error(io) "Cannot <operation>
// <path>: <what the system says>." Links are followed unless stated otherwise.

// False if there is nothing of that name; Error(io) if the system cannot tell.
bool path_exists(const std::filesystem::path& path);
bool is_folder(const std::filesystem::path& path);
bool is_plain_file(const std::filesystem::path& path);

std::uint64_t bytes_of_file(const std::filesystem::path& path);
std::uint64_t free_bytes(const std::filesystem::path& folder);  // on its disk, for this user
bool on_one_disk(const std::filesystem::path& a, const std::filesystem::path& b);

// Everything in the folder, sorted by name.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);
// The regular files in the folder and its sub-folders, sorted, relative to it. Links to folders are not
// followed.
std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder);

// The path without links, "." and "..", as far as it exists.
std::filesystem::path resolved(const std::filesystem::path& path);
// From the root, but otherwise as it is.
std::filesystem::path from_root(const std::filesystem::path& path);

// No error if it is there already. make_folders() makes the folders above, too.
void make_folder(const std::filesystem::path& path);
void make_folders(const std::filesystem::path& path);

// The file, link or folder with all that is in it; no error if there is none.
void remove_tree(const std::filesystem::path& path);

// Makes or replaces the symbolic link `link`, in one step and durably: it leads to the old or the new target
// at every moment. `target` is stored as it is.
void replace_link(const std::filesystem::path& link, const std::filesystem::path& target);

}  // namespace diffusion
