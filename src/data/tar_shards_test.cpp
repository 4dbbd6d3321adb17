#include "data/tar_shards.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include <diffusion/error.h>
#include <diffusion/image.h>
#include <diffusion/picture_files.h>
#include "data/archive.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using namespace fixtures;

Bytes tiny_png(std::uint8_t value) {
  Bytes bytes;
  for (const std::byte b : encode_png(Image{2, 2, 1, std::vector<std::uint8_t>(4, value)}))
    bytes.push_back(std::to_integer<std::uint8_t>(b));
  return bytes;
}

std::vector<Sample> read_all(const SampleSource& source) {
  std::vector<Sample> samples;
  const SampleReader reader = source.open();
  while (auto sample = reader()) samples.push_back(std::move(*sample));
  return samples;
}

std::vector<Sample> read_tar(const fs::path& path) {
  return read_all(tar_shard_source(path.string(), find_tar_shards(path.string())));
}

std::vector<std::string> describe(const std::vector<Sample>& samples) {
  std::vector<std::string> texts;
  for (const Sample& sample : samples)
    texts.push_back(sample.name + (sample.label ? " " + std::to_string(*sample.label) : ""));
  return texts;
}

TEST(TarShards, MembersOfOneKeyBelongTogether) {
  const TemporaryFolder folder;
  const Bytes bytes = tar({{"a/0.jpg", tiny_png(1)},
                           {"a/0.cls", text("7\n")},
                           {"a/1.json", text(R"({"label": 3, "caption": "x"})")},
                           {"a/1.txt", text("caption")},
                           {"a/1.PNG", tiny_png(2)},
                           {"a/2.seg.png", tiny_png(9)},
                           {"a/2.tif", tiny_png(3)},
                           {"a/2.json", text(R"({"cls": 0})")},
                           {"a/.hidden.png", tiny_png(9)},
                           {"readme.txt", text("no picture")},
                           {"b/0.jpeg", tiny_png(4)},
                           {"b/0.cls", text("65535")},
                           {"b/1.webp", tiny_png(5)}});
  for (const char* name : {"one.tar", "one.tgz", "one.tar.gz"}) {
    const auto path = write_file(folder.path() / name, std::strstr(name, "gz") ? gzip(bytes) : bytes);
    const std::vector<Sample> samples = read_tar(path);
    EXPECT_EQ(describe(samples), (std::vector<std::string>{"a/0 7", "a/1 3", "a/2 0", "b/0 65535", "b/1"}))
        << name;
    EXPECT_EQ(std::get<std::vector<std::byte>>(samples.at(2).content).size(), tiny_png(3).size());
  }
}

TEST(TarShards, FoldersAndPatternsNameManyFiles) {
  const TemporaryFolder folder;
  for (const char* name : {"s-10.tar", "s-09.tar", "s-08.tar"})
    write_file(folder.path() / name, tar({{std::string(name, 4) + ".png", tiny_png(1)}}));
  write_file(folder.path() / "notes.txt", {1});
  const auto names = [&](const std::string& path) {
    std::vector<std::string> found;
    for (const fs::path& shard : find_tar_shards(path)) found.push_back(shard.filename().string());
    return found;
  };
  EXPECT_EQ(names(folder.path().string()), (std::vector<std::string>{"s-08.tar", "s-09.tar", "s-10.tar"}));
  const std::string pattern = (folder.path() / "s-{09..10}.tar").string();
  EXPECT_EQ(names(pattern), (std::vector<std::string>{"s-09.tar", "s-10.tar"}));
  EXPECT_EQ(describe(read_tar(pattern)), (std::vector<std::string>{"s-09", "s-10"}));
  EXPECT_EQ(names((folder.path() / "notes.txt").string()), std::vector<std::string>{});
  EXPECT_EQ(names((folder.path() / "absent.tar").string()), std::vector<std::string>{});

  const Error missing = error_of([&] { names((folder.path() / "s-{08..11}.tar").string()); });
  EXPECT_EQ(missing.kind(), ErrorKind::bad_input);
  EXPECT_NE(std::string(missing.what()).find("s-11.tar"), std::string::npos) << missing.what();
  for (const char* bad :
       {"s-{9..8}.tar", "s-{..}.tar", "s-{0..9999999}.tar", "s-{a..b}.tar", "s-{-1..2}.tar"})
    EXPECT_EQ(error_of([&] { names(bad); }).kind(), ErrorKind::usage) << bad;
}

TEST(TarShards, WrongContentIsRefusedByName) {
  const TemporaryFolder folder;
  int number = 0;
  const auto error = [&](const std::vector<Member>& members) {
    const auto path = write_file(folder.path() / (std::to_string(number++) + ".tar"), tar(members));
    const Error e = error_of([&] { read_tar(path); });
    EXPECT_EQ(e.kind(), ErrorKind::bad_input);
    EXPECT_NE(std::string(e.what()).find(path.string()), std::string::npos) << e.what();
    return std::string(e.what());
  };
  EXPECT_NE(error({{"x.jpg", tiny_png(1)}, {"x.png", tiny_png(1)}}).find("x.png"), std::string::npos);
  for (const char* label : {"", "-1", "1.5", "65536", "cat", "7 8", "99999999999999999999"})
    EXPECT_NE(error({{"x.jpg", tiny_png(1)}, {"x.cls", text(label)}}).find("x.cls"), std::string::npos)
        << label;
  for (const char* json :
       {"{\"label\": \"cat\"}", "{\"label\": -1}", "{\"label\": 1.0}", "{", "{\"cls\": null}"})
    EXPECT_NE(error({{"x.json", text(json)}, {"x.jpg", tiny_png(1)}}).find("x.json"), std::string::npos)
        << json;
  error({{"x.cls", Bytes((1 << 20) + 1, '1')}});
}

TEST(TarShards, DamagedArchivesNeverCrash) {
  const TemporaryFolder folder;
  const Bytes whole = tar({{"0.png", tiny_png(1)}, {"0.cls", text("7")}, {"1.png", tiny_png(2)}});
  const auto survives = [&](const Bytes& bytes) {
    const auto path = write_file(folder.path() / "damaged.tar", bytes);
    try {
      return int(read_tar(path).size());
    } catch (const Error& e) {
      EXPECT_TRUE(e.kind() == ErrorKind::bad_input) << e.what();
      return -1;
    }
  };
  EXPECT_EQ(survives(whole), 2);
  for (std::size_t size = 0; size < whole.size(); size += 61)
    survives(Bytes(whole.begin(), whole.begin() + std::ptrdiff_t(size)));
  EXPECT_EQ(survives(Bytes(whole.begin(), whole.begin() + 550)), -1) << "ends inside a picture";
  for (std::size_t i = 0; i < 512; i += 3) {
    Bytes copy = whole;
    copy[i] ^= 0x10;
    survives(copy);
  }
  Bytes huge = whole;  // claims 8 GB
  std::copy_n("77777777777", 11, huge.begin() + 124);
  EXPECT_EQ(survives(huge), -1);
  EXPECT_EQ(survives(text("no tar at all")), -1);
  const Bytes packed = gzip(whole);
  for (std::size_t size = 0; size < packed.size(); size += 7)
    survives(Bytes(packed.begin(), packed.begin() + std::ptrdiff_t(size)));
}

TEST(TarShards, LinksAndFoldersInArchivesAreNoFiles) {
  const TemporaryFolder folder;
  Bytes bytes = tar({{"x.png", tiny_png(1)}, {"../../etc/passwd.png", tiny_png(2)}});
  EXPECT_EQ(describe(read_tar(write_file(folder.path() / "a.tar", bytes))),
            (std::vector<std::string>{"x", "../../etc/passwd"}));  // a name, never a path
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(TarReader, RefusesWhatIsTooLargeBeforeReadingIt) {
  const TemporaryFolder folder;
  TarReader reader(write_file(folder.path() / "a.tar", tar({{"x", Bytes(1000, 1)}, {"y", Bytes(10, 2)}})));
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(error_of([&] { reader.read(999); }).kind(), ErrorKind::bad_input);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.name(), "y");
  EXPECT_EQ(reader.read(10), std::vector<std::byte>(10, std::byte{2}));
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(error_of([&] { TarReader(folder.path() / "absent.tar"); }).kind(), ErrorKind::io);
  EXPECT_EQ(error_of([&] { TarReader(folder.path()); }).kind(), ErrorKind::bad_input);
}

}  // namespace
}  // namespace diffusion
