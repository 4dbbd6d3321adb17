#include "data/prepare_captions.h"
#include <diffusion/picture_files.h>

#include <diffusion/error.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "data/load_path.h"
#include "files/fs.h"
#include "pictures/png.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

using Texts = std::vector<std::vector<std::string>>;

Image picture(int value) {
  return {2, 2, 1, std::vector<std::uint8_t>(4, std::uint8_t(value))};
}

fixtures::Bytes encoded(int value) {
  fixtures::Bytes bytes;
  for (const std::byte b : encode_png(picture(value))) bytes.push_back(std::to_integer<std::uint8_t>(b));
  return bytes;
}

Texts texts_of(const LoadedData& data) {
  const Captions& captions = data.dataset.captions;
  Texts texts(std::size_t(captions.images()));
  for (int i = 0; i < captions.images(); ++i)
    for (std::size_t k = 0; k < captions.count(i); ++k)
      texts[std::size_t(i)].emplace_back(captions.text(i, k));
  return texts;
}

// Pictures with captions, and a cache of their own.
class PrepareCaptions : public ::testing::Test {
 protected:
  fs::path path(const std::string& name) const { return scratch_.path() / name; }
  void add_pictures(const std::vector<std::string>& names) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      fs::create_directories(path(names[i]).parent_path());
      write_png(path(names[i]), picture(int(i)));
    }
  }
  void add_text(const std::string& name, const std::string& content) {
    fs::create_directories(path(name).parent_path());
    fixtures::write_file(path(name), fixtures::text(content));
  }
  LoadedData load(const std::string& name, const CaptionOptions& captions, DataOptions options = {}) {
    options.captions = captions;
    options.prepare.talk = [this](const std::string& message) { said_ += message + "\n"; };
    return load_path(path(name).string(), options);
  }
  LoadedData own(const std::string& name, const std::vector<std::string>& columns = {}) {
    return load(name, {.from = CaptionsFrom::images, .columns = columns});
  }
  LoadedData table(const std::string& name, const std::string& table) {
    return load(name, {.from = CaptionsFrom::table, .table = path(table)});
  }
  void expect_refused(const std::function<void()>& action, const std::vector<std::string>& parts,
                      ErrorKind kind = ErrorKind::bad_input) {
    const Error error = fixtures::error_of(action);
    EXPECT_EQ(error.kind(), kind);
    for (const std::string& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << error.what() << "\nlacks " << part;
  }

  std::string said_;

 private:
  const fixtures::TemporaryFolder scratch_;
  const fixtures::ScopedEnvironment cache_{"DIFFUSION_CACHE_DIR", (scratch_.path() / "cache").string()};
};

TEST_F(PrepareCaptions, AreAbsentUnlessAskedFor) {
  add_pictures({"set/a.png"});
  add_text("set/a.txt", "a\n");
  const LoadedData without = load("set", {});
  EXPECT_TRUE(without.dataset.captions.empty());
  EXPECT_FALSE(fs::exists(path("cache/captions")));
  const LoadedData with = own("set");
  EXPECT_EQ(texts_of(with), (Texts{{"a"}}));
  EXPECT_NE(with.dataset.fingerprint(), without.dataset.fingerprint());
  EXPECT_EQ(load("set", {}).dataset.fingerprint(), without.dataset.fingerprint());
}

TEST_F(PrepareCaptions, TextFilesLieBesideImages) {
  add_pictures({"set/x/a.png", "set/x/b.c.jpg", "set/y/a.PNG"});
  add_text("set/x/a.txt", "one\ntwo\n");
  add_text("set/x/b.c.txt", "three");
  add_text("set/y/a.txt", "four");
  add_text("set/y/unrelated.txt", "\xff");
  EXPECT_EQ(texts_of(own("set")), (Texts{{"one", "two"}, {"three"}, {"four"}}));
}

TEST_F(PrepareCaptions, TablesNameFilesFromTheirOwnFolder) {
  add_pictures({"set/x/a.png", "set/x/deep/b.png", "set/y/c.png", "set/y/d.png"});
  add_text("set/x/metadata.csv",
           "file_name,text\n./a.png,\"a, first\"\ndeep/../deep/b.png,b\na.png,a again\n");
  add_text("set/metadata.jsonl", R"({"file_name": "y/c.png", "text": ["c", "cc"]})");
  add_text("set/y/d.txt", "d");
  EXPECT_EQ(texts_of(own("set")), (Texts{{"a, first", "a again"}, {"b"}, {"c", "cc"}, {"d"}}));

  // Text files come before tables, unless a column is asked for.
  add_text("set/y/c.txt", "text");
  EXPECT_EQ(texts_of(own("set")).at(2), (std::vector<std::string>{"text"}));
  EXPECT_EQ(texts_of(load("set", {CaptionsFrom::images, {}, {"text"}, 4})),
            (Texts{{"a, first", "a again"}, {"b"}, {"c", "cc"}, {}}));

  add_text("set/x/metadata.jsonl", "");
  expect_refused([&] { own("set"); }, {"metadata.jsonl and metadata.csv", "one of them"});
}

TEST_F(PrepareCaptions, ATableLiesAnywhere) {
  add_pictures({"set/train/x/a.png", "set/train/y/b.png", "set/test/x/t.png"});
  add_text("elsewhere/t.tsv", "file\tname\nx/a.png\ta\n./y/b.png\tb\n");
  EXPECT_EQ(texts_of(table("set", "elsewhere/t.tsv")), (Texts{{"a"}, {"b"}}));
  // From the folder of the table, of files of both splits.
  add_text("set/t.tsv", "file\tname\ntrain/x/a.png\tA\ntest/x/t.png\tT\ntrain/y/b.png\tB\n");
  EXPECT_EQ(texts_of(table("set", "set/t.tsv")), (Texts{{"A"}, {"B"}}));
  DataOptions test;
  test.split = Split::test;
  const CaptionOptions options{.from = CaptionsFrom::table, .table = path("set/t.tsv")};
  EXPECT_EQ(texts_of(load("set", options, test)), (Texts{{"T"}}));
  add_text("elsewhere/abs.csv", fmt::format("file,text\n{},A\n{},B\n", path("set/train/x/a.png").string(),
                                            path("set/train/y/b.png").string()));
  EXPECT_EQ(texts_of(table("set", "elsewhere/abs.csv")), (Texts{{"A"}, {"B"}}));
}

TEST_F(PrepareCaptions, ShardsHaveTheirOwn) {
  add_pictures({"set/0.png", "set/1.png", "set/2.png", "set/3.png", "set/4.png"});
  add_text("t.csv", "file,text\n0.png,zero\n1.png,one\n2.png,two\n3.png,three\n4.png,four\n");
  DataOptions options;
  options.shards = 2;
  options.shard = 1;
  const LoadedData shard = load("set", {.from = CaptionsFrom::table, .table = path("t.csv")}, options);
  EXPECT_EQ(texts_of(shard), (Texts{{"one"}, {"three"}}));
}

TEST_F(PrepareCaptions, BrokenImagesKeepTheOthersInPlace) {
  add_pictures({"set/a.png", "set/c.png"});
  add_text("set/b.png", "no picture");
  add_text("t.csv", "file,text\nc.png,c\nb.png,b\na.png,a\n");
  EXPECT_EQ(texts_of(table("set", "t.csv")), (Texts{{"a"}, {"c"}}));
  fixtures::write_file(path("set.tar"), fixtures::tar({{"./a.png", encoded(1)},
                                                       {"./a.txt", fixtures::text("a")},
                                                       {"./b.png", fixtures::text("no picture")},
                                                       {"./b.txt", fixtures::text("b")},
                                                       {"./c.png", encoded(2)},
                                                       {"./c.txt", fixtures::text("c")}}));
  EXPECT_EQ(texts_of(own("set.tar")), (Texts{{"a"}, {"c"}}));
  EXPECT_EQ(texts_of(table("set.tar", "t.csv")), (Texts{{"a"}, {"c"}}));
}

TEST_F(PrepareCaptions, TarFilesHaveTextsAndJson) {
  fixtures::write_file(
      path("set.tar"),
      fixtures::tar({{"readme.txt", fixtures::text("\xff")},
                     {"a/0.json", fixtures::text(R"({"caption": "in json", "other": ["x", "y"]})")},
                     {"a/0.png", encoded(0)},
                     {"a/0.txt", fixtures::text("in text\nand more")},
                     {"a/1.png", encoded(1)},
                     {"a/1.json", fixtures::text(R"({"caption": ["b", "c"], "other": "z"})")},
                     {"a/2.png", encoded(2)},
                     {"a/2.json", fixtures::text(R"({"caption": null, "other": "u"})")}}));
  EXPECT_EQ(texts_of(own("set.tar")), (Texts{{"in text", "and more"}, {"b", "c"}, {}}));
  EXPECT_NE(said_.find("1 of 3 images have no caption, for example a/2"), std::string::npos) << said_;
  EXPECT_EQ(texts_of(own("set.tar", {"other", "caption"})),
            (Texts{{"x", "y", "in json"}, {"z", "b", "c"}, {"u"}}));
  add_text("t.tsv", "file\ttext\na/0.png\tmember\na/1\tkey\n./a/2.PNG\tother\n");
  EXPECT_EQ(texts_of(table("set.tar", "t.tsv")), (Texts{{"member"}, {"key"}, {"other"}}));
}

TEST_F(PrepareCaptions, KeysThatComeTwiceAreOnlyTableTrouble) {
  fs::create_directories(path("set"));
  for (const char* shard : {"s-0.tar", "s-1.tar"})
    fixtures::write_file(path("set") / shard,
                         fixtures::tar({{"0.png", encoded(shard[2])}, {"0.txt", fixtures::text(shard)}}));
  fixtures::write_file(path("t.tsv"), fixtures::text("file\ttext\n0\tx\n"));
  EXPECT_EQ(texts_of(own("set")), (Texts{{"s-0.tar"}, {"s-1.tar"}}));
  expect_refused([&] { table("set", "t.tsv"); }, {"t.tsv, line 2", "two images are called 0"});
}

TEST_F(PrepareCaptions, ImagesWithoutAreNamedUpToALimit) {
  std::vector<std::string> names;
  for (int i = 10; i < 50; ++i) names.push_back(fmt::format("set/{}.png", i));
  add_pictures(names);
  std::string rows = "file,text\n";
  for (int i = 14; i < 50; ++i) rows += fmt::format("{}.png,{}\n", i, i);
  add_text("t.csv", rows);  // 4 of 40 have none
  EXPECT_EQ(texts_of(table("set", "t.csv")).at(5), (std::vector<std::string>{"15"}));
  EXPECT_EQ(said_,
            fmt::format("{}: 4 of 40 images have no caption, for example 10.png, 11.png, 12.png, 13.png; "
                        "these are trained without words\n",
                        path("t.csv").string()));
  CaptionOptions strict{.from = CaptionsFrom::table, .table = path("t.csv"), .max_uncaptioned = 3};
  expect_refused([&] { load("set", strict); }, {"4 of 40 images", "10.png", "accepted are 3"});
  EXPECT_EQ(fixtures::error_of([&] { load("set", strict); }).fields(),
            (std::vector<std::string>{"max_uncaptioned"}));
  add_text("t.csv", "file,text\n49.png,x\n");
  expect_refused([&] { table("set", "t.csv"); }, {"39 of 40", "accepted are 4"});
  CaptionOptions loose{.from = CaptionsFrom::table, .table = path("t.csv"), .max_uncaptioned = 39};
  EXPECT_EQ(texts_of(load("set", loose)).at(39), (std::vector<std::string>{"x"}));
  add_text("t.csv", "file,text\n");
  loose.max_uncaptioned = 1000;
  expect_refused([&] { load("set", loose); }, {"40 of 40", "at least one"});
}

TEST_F(PrepareCaptions, SaysWhatIsWrongInATable) {
  add_pictures({"set/a.png", "set/b.png"});
  const auto refused = [&](const std::string& content, const std::vector<std::string>& parts) {
    add_text("t.tsv", content);
    expect_refused([&] { table("set", "t.tsv"); }, parts);
    EXPECT_FALSE(fs::exists(path("cache/captions")));
  };
  refused("file\ttext\na.png\tx\nno.png\ty\nb.png\tz\nset/b.png\tz\n",
          {"t.tsv names 1 file that is not among the images of", "line 3: no.png"});
  std::string many = "file\ttext\na.png\tx\nb.png\ty\n";
  for (int i = 0; i < 7; ++i) many += fmt::format("no{}.png\ty\n", i);
  refused(many, {"7 files that are not", "line 4: no0.png", "line 8: no4.png\n  ..."});
  refused("file\ttext\na.png\tx\nb.png\tz\na.png\ty\n./a.png\tx \n",
          {"a.png has the caption \"x\" twice", "t.tsv, line 2 and", "t.tsv, line 5"});
  refused("file\ttext\na.png\t\xe9\n", {"t.tsv, line 2: byte 7"});
}

TEST_F(PrepareCaptions, WhatLiesWithImagesCanBeWrong) {
  add_pictures({"set/a.png", "set/b.png"});
  expect_refused([&] { own("set"); }, {"No captions lie with the images", "metadata.jsonl"});
  add_text("set/a.txt", "x\ny\nx\n");
  add_text("set/b.txt", "b");
  expect_refused([&] { own("set"); }, {"\"x\" twice", "a.txt, line 1 and", "a.txt, line 3"});
  add_text("set/a.txt", " \n");
  expect_refused([&] { own("set"); }, {"a.txt holds no caption"});
  fs::remove(path("set/a.txt"));
  add_text("set/metadata.csv", "file_name,text\na.png,a\nc.png,c\n");
  expect_refused([&] { own("set"); }, {"metadata.csv names 1 file", "line 3: c.png"});
  fixtures::write_file(
      path("s.tar"), fixtures::tar({{"a.png", encoded(1)}, {"a.json", fixtures::text("{\"caption\": 3}")}}));
  expect_refused([&] { own("s.tar"); }, {"a.json", "field caption is 3"});
  fixtures::write_file(path("s.tar"),
                       fixtures::tar({{"a.png", encoded(1)}, {"a.txt", fixtures::text("x\n\xff")}}));
  expect_refused([&] { own("s.tar"); }, {"a.txt in", "line 2: byte 1"});
}

TEST_F(PrepareCaptions, ATableThatIsNoFileIsFoundFirst) {
  add_text("set/a.png", "no picture, which is not noticed");
  fs::create_directories(path("folder.tsv"));
  expect_refused([&] { table("set", "absent.tsv"); }, {"absent.tsv"}, ErrorKind::io);
  expect_refused([&] { table("set", "folder.tsv"); }, {"folder.tsv is no regular file"});
}

TEST_F(PrepareCaptions, TheSecondTimeTheyAreMapped) {
  add_pictures({"set/a.png", "set/b.png"});
  add_text("t.tsv", "file\ttext\na.png\tx\nb.png\ty\n");
  const auto only_cache = [&] {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(path("cache/captions"))) found.push_back(entry.path());
    EXPECT_EQ(found.size(), 1u);
    return found.at(0);
  };
  EXPECT_EQ(texts_of(table("set", "t.tsv")), (Texts{{"x"}, {"y"}}));
  const std::string whole = read_text_file(only_cache(), 1 << 20);
  const auto written = fs::last_write_time(only_cache());
  table("set", "t.tsv");
  EXPECT_EQ(fs::last_write_time(only_cache()), written);
  for (const std::size_t place : {std::size_t(0), std::size_t(9), std::size_t(30), whole.size() - 1}) {
    std::string damaged = whole;
    damaged[place] = char(damaged[place] ^ 1);
    diffusion::write_file(only_cache(), damaged);
    EXPECT_EQ(texts_of(table("set", "t.tsv")), (Texts{{"x"}, {"y"}}));
    EXPECT_EQ(read_text_file(only_cache(), 1 << 20), whole);
  }
  add_text("t.tsv", "file\ttext\na.png\tx\nb.png\tnew\n");  // another size
  EXPECT_EQ(texts_of(table("set", "t.tsv")), (Texts{{"x"}, {"new"}}));
  add_pictures({"set/a.png", "set/0.png", "set/b.png"});  // captions stay with their images
  EXPECT_EQ(texts_of(table("set", "t.tsv")), (Texts{{}, {"x"}, {"new"}}));
}

TEST_F(PrepareCaptions, AreForImagesWithNames) {
  fs::create_directories(path("idx"));
  fixtures::write_idx_set(path("idx"), 3, 7);
  expect_refused([&] { table("idx", "t.tsv"); }, {"no names that captions"}, ErrorKind::usage);
}

}  // namespace
}  // namespace diffusion
