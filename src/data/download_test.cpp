#include "data/download.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include <diffusion/error.h>
#include "support/fixtures.h"

namespace diffusion {
namespace {

using namespace fixtures;

const std::string kAbcMd5 = "900150983cd24fb0d6963f7d28e17f72";  // of "abc": RFC 1321, A.5

int files_in(const std::filesystem::path& folder) {
  return int(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Source {
  TemporaryFolder folder;
  std::string url = "file://" + write_file(folder.path() / "abc", {'a', 'b', 'c'}).string();
};

TEST(Download, PutsTheFileInPlaceAndReportsProgress) {
  const Source source;
  const TemporaryFolder target;
  std::uint64_t last_bytes = 0;
  std::string name;
  download_file(source.url, target.path() / "got.gz", kAbcMd5,
                [&](const std::string& file, std::uint64_t bytes, std::uint64_t) {
                  name = file;
                  last_bytes = bytes;
                });
  EXPECT_EQ(read_text(target.path() / "got.gz"), "abc");
  EXPECT_EQ(files_in(target.path()), 1);
  EXPECT_EQ(name, "got.gz");
  EXPECT_EQ(last_bytes, 3u);
}

TEST(Download, WorksWithoutProgressAndReplacesAnOldFile) {
  const Source source;
  const TemporaryFolder target;
  write_file(target.path() / "got", {'o', 'l', 'd', '!'});
  download_file(source.url, target.path() / "got", kAbcMd5, {});
  EXPECT_EQ(read_text(target.path() / "got"), "abc");
}

TEST(Download, LeavesNothingBehindWhenTheSumIsWrong) {
  const Source source;
  const TemporaryFolder target;
  const Error error =
      error_of([&] { download_file(source.url, target.path() / "got", std::string(32, '0'), {}); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  EXPECT_NE(std::string(error.what()).find(kAbcMd5), std::string::npos) << error.what();
  EXPECT_NE(std::string(error.what()).find("3 bytes"), std::string::npos) << error.what();
  EXPECT_EQ(files_in(target.path()), 0);
}

TEST(Download, ReportsFailureAtOnceAndLeavesNothingBehind) {
  const TemporaryFolder target;
  for (const std::string url :
       {"http://127.0.0.1:1/file", "file:///no/such/file", "ftp://127.0.0.1/file", "no url"}) {
    const Error error = error_of([&] { download_file(url, target.path() / "got", kAbcMd5, {}); });
    EXPECT_EQ(error.kind(), ErrorKind::io) << url;
    EXPECT_EQ(std::string(error.what()).find("Cannot download " + url + ": "), 0u) << error.what();
    EXPECT_EQ(files_in(target.path()), 0) << url;
  }
}

TEST(Download, SaysThatTheFolderIsMissing) {
  const Source source;
  const TemporaryFolder target;
  const Error error = error_of([&] { download_file(source.url, target.path() / "no" / "got", kAbcMd5, {}); });
  EXPECT_EQ(error.kind(), ErrorKind::io);
  EXPECT_NE(std::string(error.what()).find((target.path() / "no").string()), std::string::npos)
      << error.what();
}

TEST(Download, AnExceptionOfTheProgressCallbackStopsIt) {
  const Source source;
  const TemporaryFolder target;
  const auto stop = [](const std::string&, std::uint64_t, std::uint64_t) { throw std::out_of_range("stop"); };
  EXPECT_THROW(download_file(source.url, target.path() / "got", kAbcMd5, stop), std::out_of_range);
  EXPECT_EQ(files_in(target.path()), 0);
}

}  // namespace
}  // namespace diffusion
