#include "files/fs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using scratch::error_of;
using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return AssertionSuccess();
  return AssertionFailure() << "\"" << text << "\" lacks \"" << part << "\"";
}

std::string read(const fs::path& path) {
  return read_text_file(path, 1 << 20);
}

TEST(ReadFile, GivesTheWholeContentUpToTheLimit) {
  const scratch::Folder folder;
  write_file(folder / "a", "hello");
  EXPECT_EQ(read_text_file(folder / "a", 5), "hello");
  EXPECT_EQ(read_file(folder / "a", 5).size(), 5u);
  const std::string message = error_of(ErrorKind::bad_input, [&] { read_text_file(folder / "a", 4); });
  EXPECT_TRUE(contains(message, (folder / "a").string()));
  EXPECT_TRUE(contains(message, "4 bytes"));

  write_file(folder / "empty", "");
  EXPECT_EQ(read_text_file(folder / "empty", 0), "");
}

TEST(ReadFile, StopsAtTheLimitWhenTheSizeIsUnknown) {
  error_of(ErrorKind::bad_input, [] { read_file("/dev/zero", 1 << 20); });
  EXPECT_EQ(read_text_file("/dev/null", 10), "");
  EXPECT_TRUE(contains(read_text_file("/proc/self/status", 1 << 20), "Pid:"));
}

TEST(ReadFile, NamesThePathThatCannotBeRead) {
  const scratch::Folder folder;
  const std::string missing = error_of(ErrorKind::io, [&] { read_file(folder / "missing", 10); });
  EXPECT_TRUE(contains(missing, (folder / "missing").string()));
  EXPECT_TRUE(contains(missing, "No such file"));
  EXPECT_TRUE(
      contains(error_of(ErrorKind::io, [&] { read_file(folder.path(), 1 << 20); }), "Is a directory"));
}

TEST(WriteFile, ReportsAFullDisk) {
  const std::string message = error_of(ErrorKind::io, [] { write_file("/dev/full", "text"); });
  EXPECT_EQ(message, "Cannot write /dev/full: No space left on device.");
}

TEST(WriteFile, ReportsAMissingDirectory) {
  const scratch::Folder folder;
  const std::string message = error_of(ErrorKind::io, [&] { write_file(folder / "no/file", "text"); });
  EXPECT_TRUE(contains(message, "Cannot create"));
}

TEST(WriteFileAtomically, CreatesAndReplaces) {
  const scratch::Folder folder;
  write_file_atomically(folder / "a", "one");
  EXPECT_EQ(read(folder / "a"), "one");
  write_file_atomically(folder / "a", "two, longer");
  EXPECT_EQ(read(folder / "a"), "two, longer");
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a"});
}

TEST(WriteFileAtomically, WorksForABareName) {
  const scratch::Folder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write_file_atomically("bare", "text");
  fs::current_path(before);
  EXPECT_EQ(read(folder / "bare"), "text");
}

TEST(WriteFileAtomically, KeepsTheOldContentWhenTheDiskIsFull) {
  const scratch::Folder folder;
  write_file_atomically(folder / "a", "old");
  const std::string large(100'000, 'x');
  std::string message;
  {
    const scratch::FileSizeLimit limit(4096);
    message = error_of(ErrorKind::io, [&] { write_file_atomically(folder / "a", large); });
  }
  EXPECT_TRUE(contains(message, "Cannot write " + folder.path().string()));
  EXPECT_TRUE(contains(message, "File too large"));
  EXPECT_EQ(read(folder / "a"), "old");
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a"});
}

TEST(WriteFileAtomically, RefusesWhatIsNotARegularFile) {
  const scratch::Folder folder;
  fs::create_directory(folder / "directory");
  EXPECT_TRUE(contains(error_of(ErrorKind::io, [&] { write_file_atomically(folder / "directory", "x"); }),
                       "not a regular file"));
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  error_of(ErrorKind::io, [&] { write_file_atomically(folder / "pipe", "x"); });
  error_of(ErrorKind::io, [] { write_file_atomically("/dev/null", "x"); });
  error_of(ErrorKind::io, [&] { write_file_atomically(folder / "no/file", "x"); });
  EXPECT_EQ(folder.files(), (std::vector<std::string>{"directory", "pipe"}));
}

TEST(WriteFileAtomically, FollowsASymbolicLink) {
  const scratch::Folder folder;
  fs::create_directory(folder / "real");
  write_file(folder / "real/file", "old");
  fs::create_symlink("real/file", folder / "link");
  write_file_atomically(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read(folder / "real/file"), "new");

  fs::create_symlink("nowhere", folder / "dangling");
  error_of(ErrorKind::io, [&] { write_file_atomically(folder / "dangling", "x"); });
}

TEST(AtomicDirectory, AppearsOnlyWithCommit) {
  const scratch::Folder folder;
  AtomicDirectory directory(folder / "final");
  EXPECT_EQ(directory.path().parent_path(), folder.path());
  EXPECT_TRUE(
      directory.path().filename().string().starts_with(".tmp-final-" + std::to_string(getpid()) + "-"));
  fs::create_directory(directory.path() / "sub");
  write_file(directory.path() / "sub/file", "text");
  EXPECT_FALSE(fs::exists(folder / "final"));
  directory.commit();
  EXPECT_EQ(read(folder / "final/sub/file"), "text");
  EXPECT_EQ(folder.files(), std::vector<std::string>{"final"});
  error_of(ErrorKind::internal, [&] { directory.commit(); });
}

TEST(AtomicDirectory, LeavesNothingWithoutCommit) {
  const scratch::Folder folder;
  {
    const AtomicDirectory directory(folder / "final");
    write_file(directory.path() / "file", "text");
  }
  EXPECT_TRUE(folder.files().empty());
}

TEST(AtomicDirectory, ReplacesAsAWhole) {
  const scratch::Folder folder;
  fs::create_directories(folder / "final/only-old");
  write_file(folder / "final/file", "old");
  AtomicDirectory directory(folder / "final/");
  write_file(directory.path() / "file", "new");
  EXPECT_EQ(read(folder / "final/file"), "old");
  directory.commit();
  EXPECT_EQ(read(folder / "final/file"), "new");
  EXPECT_FALSE(fs::exists(folder / "final/only-old"));
  EXPECT_EQ(folder.files(), std::vector<std::string>{"final"});
}

TEST(AtomicDirectory, KeepsTheOldOneWhenTheDiskIsFull) {
  const scratch::Folder folder;
  fs::create_directory(folder / "final");
  write_file(folder / "final/file", "old");
  const auto write_too_much = [&] {
    AtomicDirectory directory(folder / "final");
    const scratch::FileSizeLimit limit(4096);
    write_file(directory.path() / "file", std::string(100'000, 'x'));
    directory.commit();
  };
  EXPECT_TRUE(contains(error_of(ErrorKind::io, write_too_much), "File too large"));
  EXPECT_EQ(read(folder / "final/file"), "old");
  EXPECT_EQ(folder.files(), std::vector<std::string>{"final"});
}

TEST(AtomicDirectory, KeepsTheOldOneWhenTheNewOneIsGone) {
  const scratch::Folder folder;
  fs::create_directory(folder / "final");
  write_file(folder / "final/file", "old");
  AtomicDirectory directory(folder / "final");
  fs::remove(directory.path());
  error_of(ErrorKind::io, [&] { directory.commit(); });
  EXPECT_EQ(read(folder / "final/file"), "old");
  EXPECT_EQ(folder.files(), std::vector<std::string>{"final"});
}

TEST(AtomicDirectory, FollowsASymbolicLink) {
  const scratch::Folder folder;
  fs::create_directories(folder / "disk/final");
  fs::create_symlink("disk/final", folder / "link");
  AtomicDirectory directory(folder / "link");
  write_file(directory.path() / "file", "new");
  directory.commit();
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read(folder / "disk/final/file"), "new");
}

TEST(AtomicDirectory, RefusesImpossibleTargets) {
  const scratch::Folder folder;
  write_file(folder / "file", "text");
  EXPECT_TRUE(contains(error_of(ErrorKind::usage, [&] { AtomicDirectory directory(folder / "file"); }),
                       "not a directory"));
  for (const char* path : {"", ".", "/", ".."}) {
    error_of(ErrorKind::usage, [&] { AtomicDirectory directory{fs::path(path)}; });
  }
  EXPECT_TRUE(contains(error_of(ErrorKind::io, [&] { AtomicDirectory directory(folder / "no/final"); }),
                       "Cannot create"));
  EXPECT_EQ(read(folder / "file"), "text");
}

TEST(RemoveStaleTemporaries, RemovesLeftoversOfCrashes) {
  const scratch::Folder folder;
  fs::create_directories(folder / ".tmp-step-5-123-0123456789abcdef/sub");
  write_file(folder / ".tmp-grid.png-99-ffffffffffffffff", "half");
  fs::create_directory(folder / "step-4");
  write_file(folder / "step-4/file", "new");
  fs::create_directory(folder / ".old-step-4-123-0123456789abcdef");
  remove_stale_temporaries(folder.path());
  EXPECT_EQ(folder.files(), std::vector<std::string>{"step-4"});
  EXPECT_EQ(read(folder / "step-4/file"), "new");
}

TEST(RemoveStaleTemporaries, RestoresWhatACrashBetweenTheRenamesHid) {
  const scratch::Folder folder;
  fs::create_directory(folder / ".old-step-4-123-0123456789abcdef");
  write_file(folder / ".old-step-4-123-0123456789abcdef/file", "old");
  fs::create_directory(folder / ".tmp-step-4-123-0123456789abcde0");
  remove_stale_temporaries(folder.path());
  EXPECT_EQ(folder.files(), std::vector<std::string>{"step-4"});
  EXPECT_EQ(read(folder / "step-4/file"), "old");
}

TEST(RemoveStaleTemporaries, TouchesNothingElse) {
  const scratch::Folder folder;
  const std::vector<std::string> kept = {".old-",
                                         ".old--1-0123456789abcdef",
                                         ".old-news",
                                         ".tmp--1-0123456789abcdef",
                                         ".tmp-mine",
                                         ".tmp-mine-1-0123456789abcde",
                                         ".tmp-mine-1-0123456789abcdeg",
                                         ".tmp-mine-x-0123456789abcdef",
                                         "a.tmp-mine-1-0123456789abcdef"};
  for (const std::string& name : kept) write_file(folder / name, "mine");
  remove_stale_temporaries(folder.path());
  EXPECT_EQ(folder.files(), kept);
  error_of(ErrorKind::io, [&] { remove_stale_temporaries(folder / "missing"); });
}

TEST(RemoveStaleTemporaries, CleansUpAfterAKilledProcess) {
  const scratch::Folder folder;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const AtomicDirectory directory(folder / "final");
    write_file(directory.path() / "file", "half");
    _exit(0);  // no destructors, as if killed
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(folder.files().size(), 1u);
  remove_stale_temporaries(folder.path());
  EXPECT_TRUE(folder.files().empty());
}

TEST(FileLock, IsExclusiveAndNamesTheOwner) {
  const scratch::Folder folder;
  {
    const FileLock lock(folder / "lock");
    const std::string message = error_of(ErrorKind::usage, [&] { FileLock second(folder / "lock"); });
    EXPECT_TRUE(contains(message, (folder / "lock").string()));
    EXPECT_TRUE(contains(message, "process " + std::to_string(getpid()) + ":"));
    EXPECT_EQ(read(folder / "lock"), std::to_string(getpid()) + "\n");
  }
  EXPECT_NO_THROW(FileLock(folder / "lock"));
}

TEST(FileLock, ReplacesALongerProcessIdAndIgnoresNonsense) {
  const scratch::Folder folder;
  write_file(folder / "lock", "99999999999999999999 and more\n");
  const FileLock lock(folder / "lock");
  EXPECT_EQ(read(folder / "lock"), std::to_string(getpid()) + "\n");
  write_file(folder / "lock", "\x01\x02 nonsense");
  EXPECT_TRUE(
      contains(error_of(ErrorKind::usage, [&] { FileLock second(folder / "lock"); }), "another process"));
}

TEST(FileLock, EndsWithItsProcess) {
  const scratch::Folder folder;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const FileLock lock(folder / "lock");
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(read(folder / "lock"), std::to_string(child) + "\n");
  EXPECT_NO_THROW(FileLock(folder / "lock"));
}

}  // namespace
}  // namespace diffusion
