#include "data/prepare.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "data/image_folder.h"
#include "files/fs.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using namespace fixtures;

Image flat(int width, int height, std::vector<std::uint8_t> color) {
  Image image{width, height, int(color.size()), {}};
  for (int p = 0; p < width * height; ++p)
    image.pixels.insert(image.pixels.end(), color.begin(), color.end());
  return image;
}

// A folder of pictures and a cache of its own.
class Prepare : public ::testing::Test {
 protected:
  fs::path folder() const { return scratch_.path() / "pictures"; }
  void add(const std::string& name, const Image& image) {
    fs::create_directories((folder() / name).parent_path());
    write_png(folder() / name, image);
  }
  void add_broken(const std::string& name) {
    fs::create_directories((folder() / name).parent_path());
    fixtures::write_file(folder() / name, text("this is no picture"));
  }
  CachedSet prepare(const PrepareOptions& options = {}) const {
    return prepare_images(image_folder_source(folder(), list_image_folder(folder()).value()), options);
  }
  fs::path only_cache() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(scratch_.path() / "cache"))
      if (entry.path().filename() == "images.bin") found.push_back(entry.path());
    EXPECT_EQ(found.size(), 1u);
    return found.at(0);
  }
  static std::vector<int> first_values(const Dataset& dataset) {
    std::vector<int> values;
    for (int i = 0; i < dataset.count(); ++i) values.push_back(dataset.image(i)[0]);
    return values;
  }

  const TemporaryFolder scratch_;
  const ScopedEnvironment cache_{"DIFFUSION_CACHE_DIR", (scratch_.path() / "cache").string()};
};

TEST_F(Prepare, MixedPicturesBecomeOneSet) {
  add("b/gray.png", flat(30, 20, {50}));
  add("b/color.png", flat(20, 60, {60, 61, 62}));
  add("a/clear.png", flat(16, 16, {70, 71, 72, 0}));
  add("a/gray-alpha.png", flat(17, 33, {80, 255}));
  const CachedSet set = prepare({.form = {.size = {{8, 12}}, .background = {1, 2, 3}}});
  const Dataset& dataset = set.dataset;
  EXPECT_EQ(dataset.name, "pictures");
  EXPECT_EQ(dataset.channels, 3);
  EXPECT_EQ(dataset.height, 8);
  EXPECT_EQ(dataset.width, 12);
  EXPECT_EQ(dataset.class_names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(dataset.labels, (std::vector<std::uint16_t>{0, 0, 1, 1}));
  EXPECT_EQ(set.facts.names,
            (std::vector<std::string>{"a/clear.png", "a/gray-alpha.png", "b/color.png", "b/gray.png"}));
  const std::vector<std::vector<std::uint8_t>> colors{{1, 2, 3}, {80, 80, 80}, {60, 61, 62}, {50, 50, 50}};
  for (int i = 0; i < 4; ++i)
    EXPECT_TRUE(std::ranges::equal(dataset.image(i), flat(12, 8, colors[std::size_t(i)]).pixels)) << i;
  EXPECT_EQ(set.facts.smallest, (std::array{16, 16}));
  EXPECT_EQ(set.facts.largest, (std::array{60, 30}));

  EXPECT_EQ(prepare({.form = {.size = {{8, 8}}, .channels = 4}}).dataset.image(0)[3], 0);
  EXPECT_EQ(prepare({.form = {.size = {{8, 8}}, .channels = 1}}).dataset.image(1)[0], 80);
}

TEST_F(Prepare, GrayOnlyIfAllFilesAre) {
  for (int i = 0; i < 40; ++i) add("gray" + std::to_string(10 + i) + ".png", flat(4, 4, {std::uint8_t(i)}));
  EXPECT_EQ(prepare().dataset.channels, 1);
  add("z.png", flat(4, 4, {1, 2, 3}));
  const Dataset dataset = prepare().dataset;
  EXPECT_EQ(dataset.channels, 3);
  EXPECT_EQ(dataset.count(), 41);
  EXPECT_EQ(dataset.image(40)[2], 3);
  EXPECT_EQ(dataset.image(7)[2], 7);
}

TEST_F(Prepare, WithoutASizeAllMustHaveOne) {
  add("1.png", flat(6, 4, {1}));
  add("2.png", flat(6, 4, {2}));
  const Dataset dataset = prepare().dataset;
  EXPECT_EQ(dataset.height, 4);
  EXPECT_EQ(dataset.width, 6);
  EXPECT_EQ(prepare({.form = {.random_crop = true}}).dataset.margin, (std::array{1, 1}));
  add("3.png", flat(4, 6, {3}));
  const Error error = error_of([&] { prepare(); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  for (const char* part : {"1.png", "6 x 4", "3.png", "4 x 6", "Give the size"})
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
}

TEST_F(Prepare, RandomCropKeepsAMargin) {
  add("1.png", flat(200, 100, {1, 1, 1}));
  const Dataset dataset = prepare({.form = {.size = {{64, 32}}, .random_crop = true}}).dataset;
  EXPECT_EQ(dataset.height, 72);
  EXPECT_EQ(dataset.width, 36);
  EXPECT_EQ(dataset.example_height(), 64);
  EXPECT_EQ(dataset.example_width(), 32);
}

TEST_F(Prepare, BrokenFilesAreNamedAndLeftOutUpToALimit) {
  for (int i = 0; i < 9; ++i) add("c/" + std::to_string(i) + ".png", flat(4, 4, {std::uint8_t(i)}));
  add_broken("a/first.png");
  fs::create_symlink("nowhere", folder() / "c/5a.png");
  const CachedSet set = prepare({.max_broken = 2});
  EXPECT_EQ(first_values(set.dataset), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(set.dataset.class_names, (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(set.dataset.labels, std::vector<std::uint16_t>(9, 1));
  ASSERT_EQ(set.facts.broken.size(), 2u);
  EXPECT_EQ(set.facts.broken[0].name, "a/first.png");
  EXPECT_EQ(set.facts.broken[1].name, "c/5a.png");
  EXPECT_NE(set.facts.broken[0].reason.find("first.png"), std::string::npos);

  for (const std::optional<std::int64_t> limit :
       {std::optional<std::int64_t>(), std::optional<std::int64_t>(1)}) {
    const Error error = error_of([&] { prepare({.max_broken = limit}); });  // although it is in the cache
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    for (const char* part : {"2 files", "first.png", "5a.png", "accepted are"})
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST_F(Prepare, OnlyBrokenFilesAreNoSet) {
  add_broken("1.png");
  const Error error = error_of([&] { prepare({.max_broken = 10}); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  EXPECT_NE(std::string(error.what()).find("1.png"), std::string::npos) << error.what();
}

TEST_F(Prepare, TheSecondTimeNothingIsDecoded) {
  for (int i = 0; i < 5; ++i) add(std::to_string(i) + ".png", flat(4, 4, {std::uint8_t(i)}));
  std::int64_t decoded = 0;
  PrepareOptions options;
  options.progress = [&](std::int64_t done, std::int64_t total) {
    decoded = done;
    EXPECT_EQ(total, 5);
  };
  const std::uint64_t fingerprint = prepare(options).dataset.fingerprint();
  EXPECT_EQ(decoded, 5);
  decoded = -1;
  EXPECT_EQ(prepare(options).dataset.fingerprint(), fingerprint);
  EXPECT_EQ(decoded, -1);

  const fs::file_time_type time = fs::last_write_time(folder() / "3.png");
  add("3.png",
      flat(4, 4, {99}));  // a file changes: same size, and perhaps within one tick of the file system's clock
  fs::last_write_time(folder() / "3.png", time + std::chrono::seconds(1));
  const Dataset changed = prepare(options).dataset;
  EXPECT_EQ(decoded, 5);
  EXPECT_EQ(first_values(changed), (std::vector<int>{0, 1, 2, 99, 4}));
  EXPECT_NE(changed.fingerprint(), fingerprint);
}

TEST_F(Prepare, WorkersDoNotMatter) {
  for (int i = 0; i < 60; ++i)
    if (i % 20 == 7)
      add_broken("x" + std::to_string(100 + i) + ".png");
    else
      add("x" + std::to_string(100 + i) + ".png",
          flat(9 + i % 7, 9 + i % 5, {std::uint8_t(i), 0, std::uint8_t(3 * i)}));
  const auto file = [&](int workers) {
    prepare({.form = {.size = {{9, 9}}}, .workers = workers, .max_broken = 5});
    const fs::path cache = only_cache();
    const std::string content = read_text_file(cache, 1 << 20);
    fs::remove(cache);
    return content;
  };
  const std::string alone = file(1);
  EXPECT_EQ(file(7), alone);
}

TEST_F(Prepare, DamagedCachesAreMadeAnew) {
  for (int i = 0; i < 5; ++i) add(std::to_string(i) + ".png", flat(4, 4, {std::uint8_t(i)}));
  prepare();
  const std::string whole = read_text_file(only_cache(), 1 << 20);
  for (const std::size_t place : {std::size_t(0), std::size_t(9), std::size_t(4100), whole.size() - 1}) {
    std::string copy = whole;
    copy[place] = char(copy[place] ^ 1);
    diffusion::write_file(only_cache(), copy);
    EXPECT_EQ(first_values(prepare().dataset), (std::vector<int>{0, 1, 2, 3, 4}));
    EXPECT_EQ(read_text_file(only_cache(), 1 << 20), whole);
  }
  diffusion::write_file(only_cache(), whole.substr(0, whole.size() / 2));
  diffusion::write_file(only_cache().parent_path() / ".tmp-images.bin-1-0123456789abcdef", "left by a crash");
  EXPECT_EQ(first_values(prepare().dataset), (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_FALSE(fs::exists(only_cache().parent_path() / ".tmp-images.bin-1-0123456789abcdef"));
}

TEST_F(Prepare, ProcessesWaitForEachOther) {
  for (int i = 0; i < 30; ++i) add(std::to_string(100 + i) + ".png", flat(40, 40, {std::uint8_t(i), 1, 2}));
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      try {
        const Dataset dataset = prepare({.form = {.size = {{33, 33}}}, .workers = 2}).dataset;
        ::_exit(dataset.count() == 30 && dataset.image(29)[0] == 29 ? 0 : 1);
      } catch (...) {
        ::_exit(2);
      }
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(only_cache().parent_path()), {}), 2);  // and the lock
}

TEST_F(Prepare, ACacheThatCannotBeWrittenIsAnError) {
  add("1.png", flat(4, 4, {1}));
  fixtures::write_file(scratch_.path() / "file", {1});
  const ScopedEnvironment blocked("DIFFUSION_CACHE_DIR", (scratch_.path() / "file").string());
  const Error error = error_of([&] { prepare(); });
  EXPECT_EQ(error.kind(), ErrorKind::io);
  EXPECT_NE(std::string(error.what()).find("DIFFUSION_CACHE_DIR"), std::string::npos) << error.what();
  const ScopedEnvironment none("DIFFUSION_CACHE_DIR", std::nullopt), no_xdg("XDG_CACHE_HOME", std::nullopt),
      no_home("HOME", std::nullopt);
  EXPECT_EQ(error_of([&] { prepare(); }).kind(), ErrorKind::io);
}

TEST_F(Prepare, LabelsAreForAllOrForNone) {
  SampleSource source;
  source.place = scratch_.path() / "made";
  const Bytes picture = [&] {
    Bytes bytes;
    for (const std::byte b : encode_png(flat(2, 2, {7}))) bytes.push_back(std::to_integer<std::uint8_t>(b));
    return bytes;
  }();
  const auto with_labels = [&](std::vector<std::optional<int>> labels) {
    source.signature++;
    source.open = [=]() -> SampleReader {
      return [=, i = std::size_t(0)]() mutable -> std::optional<Sample> {
        if (i == labels.size()) return std::nullopt;
        const auto bytes = std::as_bytes(std::span(picture));
        Sample sample{"s" + std::to_string(i), labels[i], std::vector(bytes.begin(), bytes.end())};
        ++i;
        return sample;
      };
    };
    return prepare_images(source, {});
  };
  EXPECT_EQ(with_labels({2, 0}).dataset.class_names, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_TRUE(with_labels({std::nullopt, std::nullopt}).dataset.class_names.empty());
  const Error error = error_of([&] { with_labels({1, std::nullopt}); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  EXPECT_NE(std::string(error.what()).find("s0 has one, s1 has none"), std::string::npos) << error.what();
}

}  // namespace
}  // namespace diffusion
