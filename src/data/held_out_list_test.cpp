#include "data/held_out_list.h"
#include <diffusion/picture_files.h>

#include <diffusion/error.h>
#include <gtest/gtest.h>

#include "data/load_path.h"
#include "pictures/png.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

// Five pictures in two classes, of values 0 to 4, with captions.
class HeldOutList : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<std::string> names{"a/0", "a/1", "b/2", "b/3", "b/4"};
    for (std::size_t i = 0; i < names.size(); ++i) {
      fs::create_directories((path("set") / names[i]).parent_path());
      write_png(path("set/" + names[i] + ".png"), Image{1, 1, 1, {std::uint8_t(i)}});
      fixtures::write_file(path("set/" + names[i] + ".txt"), fixtures::text("no. " + std::to_string(i)));
    }
  }
  fs::path path(const std::string& name) const { return scratch_.path() / name; }
  Dataset load(const std::string& list, Split split, int shards = 1) {
    fixtures::write_file(path("list.txt"), fixtures::text(list));
    DataOptions options;
    options.split = split;
    options.held_out_list = path("list.txt");
    options.captions.from = CaptionsFrom::images;
    options.shards = shards;
    return load_path(path("set").string(), options).dataset;
  }
  // "value:label caption" of each image.
  static std::vector<std::string> describe(const Dataset& dataset) {
    std::vector<std::string> texts;
    for (int i = 0; i < dataset.count(); ++i)
      texts.push_back(std::to_string(dataset.image(i)[0]) + ":" +
                      std::to_string(dataset.labels.at(std::size_t(i))) + " " +
                      std::string(dataset.captions.text(i, 0)));
    return texts;
  }
  void expect_refused(const std::string& list, Split split, const std::vector<std::string>& parts) {
    const Error error = fixtures::error_of([&] { load(list, split); });
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    for (const std::string& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << error.what() << "\nlacks " << part;
  }

 private:
  const fixtures::TemporaryFolder scratch_;
  const fixtures::ScopedEnvironment cache_{"DIFFUSION_CACHE_DIR", (scratch_.path() / "cache").string()};
};

using Described = std::vector<std::string>;

TEST_F(HeldOutList, SplitsTheImages) {
  const std::string list = "# for later\nb/3.png\r\n\nset/a/0.png\n";
  const Dataset training = load(list, Split::train), test = load(list, Split::test);
  EXPECT_EQ(describe(training), (Described{"1:0 no. 1", "2:1 no. 2", "4:1 no. 4"}));
  EXPECT_EQ(describe(test), (Described{"0:0 no. 0", "3:1 no. 3"}));
  EXPECT_EQ(describe(load(list, Split::train, 2)), (Described{"1:0 no. 1", "4:1 no. 4"}));
  EXPECT_EQ(training.pixels.size(), 5u);  // one cache for both
  EXPECT_EQ(training.stored_number(2), 4);
  EXPECT_NE(training.content_hash, test.content_hash);
  EXPECT_NE(training.fingerprint(), load("b/3.png\na/1.png\n", Split::train).fingerprint());
  EXPECT_EQ(training.fingerprint(), load("a/0.png\nb/3.png\n", Split::train).fingerprint());
}

TEST_F(HeldOutList, SaysWhatIsWrong) {
  expect_refused("a/0.png\na/9.png\nset/b/9.png", Split::train,
                 {"list.txt names 2 files that are not among", "line 2: a/9.png", "line 3: set/b/9.png"});
  expect_refused("a/0.png\nb/2.png\n./a/0.png\n", Split::test, {"names ./a/0.png twice, in lines 1 and 3"});
  expect_refused("\n# nothing\n", Split::test, {"list.txt names none of the images"});
  expect_refused("a/0.png\na/1.png\nb/2.png\nb/3.png\nb/4.png", Split::train, {"names all of the images"});
  fs::remove_all(path("set"));
  fixtures::write_idx_set(path("set"), 3, 7);
  EXPECT_EQ(fixtures::error_of([&] { load("x", Split::train); }).kind(), ErrorKind::usage);
}

TEST_F(HeldOutList, NamesKeysOfTarFiles) {
  const auto png = [](int value) {
    fixtures::Bytes bytes;
    for (const std::byte b : encode_png(Image{1, 1, 1, {std::uint8_t(value)}}))
      bytes.push_back(std::to_integer<std::uint8_t>(b));
    return bytes;
  };
  fixtures::write_file(path("list.txt"), fixtures::text("x/1.png\n"));
  fixtures::write_file(path("set.tar"), fixtures::tar({{"x/0.png", png(0)}, {"x/1.png", png(1)}}));
  DataOptions options;
  options.held_out_list = path("list.txt");
  EXPECT_EQ(load_path(path("set.tar").string(), options).dataset.image(0)[0], 0);
  options.split = Split::test;
  EXPECT_EQ(load_path(path("set.tar").string(), options).dataset.image(0)[0], 1);
}

}  // namespace
}  // namespace diffusion
