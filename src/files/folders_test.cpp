#include "files/folders.h"

#include <gtest/gtest.h>

#include "files/fs.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using scratch::error_of;

TEST(Folders, TellWhatIsThere) {
  const scratch::Folder folder;
  write_file(folder / "file", "text");
  fs::create_symlink("file", folder / "link");
  fs::create_symlink("nothing", folder / "dangling");
  EXPECT_TRUE(path_exists(folder / "file") && is_plain_file(folder / "link") && is_folder(folder.path()));
  EXPECT_FALSE(path_exists(folder / "dangling") || path_exists(folder / "file/below"));
  EXPECT_FALSE(is_folder(folder / "file") || is_plain_file(folder.path()));
  EXPECT_EQ(bytes_of_file(folder / "link"), 4u);
  EXPECT_GT(free_bytes(folder.path()), 0u);
  EXPECT_TRUE(on_one_disk(folder.path(), folder / "file"));
  EXPECT_EQ(resolved(folder / "link"), resolved(folder.path()) / "file");
}

TEST(Folders, FailuresAreIoErrorsThatNameThePath) {
  const scratch::Folder folder;
  write_file(folder / "file", "text");
  fs::create_symlink("loop", folder / "loop");
  const fs::path missing = folder / "missing", loop = folder / "loop", below = folder / "file/below";
  const std::vector<std::pair<fs::path, std::function<void()>>> failures = {
      {loop, [&] { path_exists(loop); }},
      {loop, [&] { is_folder(loop); }},
      {loop, [&] { is_plain_file(loop); }},
      {loop, [&] { resolved(loop); }},
      {missing, [&] { bytes_of_file(missing); }},
      {missing, [&] { free_bytes(missing); }},
      {missing, [&] { entries_of(missing); }},
      {missing, [&] { files_below(missing); }},
      {below, [&] { make_folder(below); }},
      {below, [&] { make_folders(below); }},
      {missing, [&] { on_one_disk(folder.path(), missing); }},
      {missing / "link", [&] { replace_link(missing / "link", "file"); }}};
  for (const auto& [path, action] : failures) {
    const std::string message = error_of(ErrorKind::io, action);
    EXPECT_TRUE(message.starts_with("Cannot ")) << message;
    EXPECT_NE(message.find(path.string()), std::string::npos) << message;
  }
}

TEST(Folders, ListSorted) {
  const scratch::Folder folder;
  make_folders(folder / "b/c");
  make_folder(folder / "b");
  for (const char* name : {"z", "b/c/y", "a"}) write_file(folder / name, "");
  EXPECT_EQ(entries_of(folder.path()), (std::vector<fs::path>{folder / "a", folder / "b", folder / "z"}));
  EXPECT_EQ(files_below(folder.path()), (std::vector<fs::path>{"a", "b/c/y", "z"}));
  remove_tree(folder / "b");
  remove_tree(folder / "b");
  EXPECT_EQ(folder.files(), (std::vector<std::string>{"a", "z"}));
}

TEST(Folders, ReplaceALinkAndNothingElse) {
  const scratch::Folder folder;
  make_folder(folder / "folder");
  replace_link(folder / "link", "one");
  replace_link(folder / "link", "two");
  EXPECT_EQ(fs::read_symlink(folder / "link"), "two");
  error_of(ErrorKind::io, [&] { replace_link(folder / "folder", "two"); });
  EXPECT_EQ(folder.files(), (std::vector<std::string>{"folder", "link"}));
}

}  // namespace
}  // namespace diffusion
