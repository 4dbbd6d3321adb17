#include "data/image_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>

#include <diffusion/error.h>
#include "support/fixtures.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using namespace fixtures;

// Listing looks at names only, so files need no content.
void touch(const fs::path& path) {
  fs::create_directories(path.parent_path());
  write_file(path, {1});
}

std::vector<std::string> paths_of(const FolderListing& listing) {
  std::vector<std::string> paths;
  for (const auto& file : listing.files) paths.push_back(file.path);
  return paths;
}

TEST(ImageFolder, EndingsInAnyCase) {
  for (const char* name : {"a.jpg", "a.JPG", "a.b.Jpeg", "x.png", "x.tif", "x.TIFF", "x.webp", "\xff.png"})
    EXPECT_TRUE(is_image_name(name)) << name;
  for (const char* name : {"jpg", ".jpg", "a.gif", "a.jpg.txt", "a.", "", "a.jpgx", "a.avif", "webp"})
    EXPECT_FALSE(is_image_name(name)) << name;
}

TEST(ImageFolder, SubFoldersAreClassesSortedByName) {
  const TemporaryFolder folder;
  for (const char* name : {"dog/b.png", "dog/a.JPG", "Cat/1.tif", "dog/more/0.jpeg", "ant/\xff\xfe.png",
                           "dog/.hidden.png", ".git/x.png", "dog/readme.txt", "empty/readme.txt"})
    touch(folder.path() / name);
  fs::create_directories(folder.path() / "dog/x.png");  // a folder that is called like an image
  const auto listing = list_image_folder(folder.path());
  ASSERT_TRUE(listing.has_value());
  EXPECT_EQ(listing->class_names, (std::vector<std::string>{"Cat", "ant", "dog"}));
  EXPECT_EQ(paths_of(*listing), (std::vector<std::string>{"Cat/1.tif", "ant/\xff\xfe.png", "dog/a.JPG",
                                                          "dog/b.png", "dog/more/0.jpeg"}));
  std::vector<int> labels;
  for (const auto& file : listing->files) labels.push_back(file.label);
  EXPECT_EQ(labels, (std::vector<int>{0, 1, 2, 2, 2}));
  EXPECT_EQ(listing->empty_folders, (std::vector<std::string>{"empty"}));
}

TEST(ImageFolder, AFlatFolderHasNoLabels) {
  const TemporaryFolder folder;
  for (const char* name : {"10.png", "9.png", "readme.md"}) touch(folder.path() / name);
  const auto listing = list_image_folder(folder.path());
  ASSERT_TRUE(listing.has_value());
  EXPECT_EQ(paths_of(*listing), (std::vector<std::string>{"10.png", "9.png"}));
  EXPECT_EQ(listing->files[0].label, -1);
  EXPECT_TRUE(listing->class_names.empty());

  touch(folder.path() / "class/1.png");
  const Error error = error_of([&] { list_image_folder(folder.path()); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  for (const char* part : {"10.png", "class"})
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
}

TEST(ImageFolder, NothingThereIsNotAnError) {
  const TemporaryFolder folder;
  EXPECT_FALSE(list_image_folder(folder.path()));
  touch(folder.path() / "notes.txt");
  EXPECT_FALSE(list_image_folder(folder.path()));
  EXPECT_EQ(error_of([&] { list_image_folder(folder.path() / "absent"); }).kind(), ErrorKind::io);
}

TEST(ImageFolder, LinksAreFollowedOnceAndLoopsEnd) {
  const TemporaryFolder folder, elsewhere;
  touch(folder.path() / "a/1.png");
  touch(elsewhere.path() / "2.png");
  for (const char* name : {"a/loop", "a/again", "b"})
    fs::create_directory_symlink(folder.path() / "a", folder.path() / name);
  fs::create_directory_symlink(folder.path(), folder.path() / "a/root");
  fs::create_directory_symlink(elsewhere.path(), folder.path() / "c");
  fs::create_symlink(elsewhere.path() / "2.png", folder.path() / "a/3.png");
  fs::create_symlink("nowhere", folder.path() / "a/4.png");
  ASSERT_EQ(mkfifo((folder.path() / "a/5.png").c_str(), 0600), 0);
  const auto listing = list_image_folder(folder.path());
  ASSERT_TRUE(listing.has_value());
  EXPECT_EQ(paths_of(*listing), (std::vector<std::string>{"a/1.png", "a/3.png", "a/4.png", "c/2.png"}));
}

TEST(ImageFolder, TheSignatureNoticesEveryChange) {
  const TemporaryFolder folder;
  const auto signature = [&] { return list_image_folder(folder.path()).value().signature; };
  touch(folder.path() / "a/1.png");
  touch(folder.path() / "a/2.png");
  const std::uint64_t first = signature();
  EXPECT_EQ(signature(), first);
  touch(folder.path() / "a/notes.txt");
  EXPECT_EQ(signature(), first);
  const fs::file_time_type time = fs::last_write_time(folder.path() / "a/1.png");
  fs::last_write_time(folder.path() / "a/1.png", time + std::chrono::milliseconds(1));
  EXPECT_NE(signature(), first);
  fs::last_write_time(folder.path() / "a/1.png", time);
  EXPECT_EQ(signature(), first);
  write_file(folder.path() / "a/1.png", {1, 2});
  fs::last_write_time(folder.path() / "a/1.png", time);
  EXPECT_NE(signature(), first);
  write_file(folder.path() / "a/1.png", {1});
  fs::last_write_time(folder.path() / "a/1.png", time);
  EXPECT_EQ(signature(), first);
  fs::rename(folder.path() / "a/2.png", folder.path() / "a/3.png");
  EXPECT_NE(signature(), first);
  fs::remove(folder.path() / "a/3.png");
  EXPECT_NE(signature(), first);
}

}  // namespace
}  // namespace diffusion
