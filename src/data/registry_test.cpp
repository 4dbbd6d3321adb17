#include "data/registry.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include <diffusion/error.h>
#include "support/fixtures.h"

namespace diffusion {
namespace {

using namespace fixtures;

DataOptions offline(const std::filesystem::path& data_dir = {}, Split split = Split::train) {
  return {.data_dir = data_dir, .split = split, .allow_download = false};
}

bool contains(const Error& error, const std::string& part) {
  return std::string(error.what()).find(part) != std::string::npos;
}

// A machine of our own: a home, a cache, a data folder, all empty.
struct Machine {
  TemporaryFolder folder;
  std::filesystem::path data = folder.path() / "data", home = folder.path() / "home",
                        cache = folder.path() / "cache";
  ScopedEnvironment data_variable{"DIFFUSION_DATA_DIR", data.string()};
  ScopedEnvironment home_variable{"HOME", home.string()};
  ScopedEnvironment cache_variable{"XDG_CACHE_HOME", cache.string()};
  ScopedEnvironment own_variable{"DIFFUSION_CACHE_DIR", std::nullopt};
};

int first_pixel(const Dataset& dataset) {
  return dataset.image(0)[0];
}

TEST(Registry, SearchesDataDirThenEnvironmentThenCache) {
  const Machine machine;
  const auto explicit_dir = machine.folder.path() / "explicit";
  write_idx_set(machine.home / ".cache/diffusion/mnist", 3, 10);
  {
    const ScopedEnvironment no_xdg("XDG_CACHE_HOME", std::nullopt);
    EXPECT_EQ(first_pixel(load_dataset("mnist", offline())), 10);
    const ScopedEnvironment relative_xdg("XDG_CACHE_HOME", "relative");
    EXPECT_EQ(first_pixel(load_dataset("mnist", offline())), 10);
  }
  write_idx_set(machine.cache / "diffusion/mnist", 3, 20);
  EXPECT_EQ(first_pixel(load_dataset("mnist", offline())), 20);
  {
    write_idx_set(machine.folder.path() / "own-cache/mnist", 3, 25);
    const ScopedEnvironment own("DIFFUSION_CACHE_DIR", (machine.folder.path() / "own-cache").string());
    EXPECT_EQ(first_pixel(load_dataset("mnist", offline())), 25);
  }
  write_idx_set(machine.data, 3, 30);
  EXPECT_EQ(first_pixel(load_dataset("mnist", offline())), 30);
  write_idx_set(machine.data / "mnist", 3, 40);
  EXPECT_EQ(first_pixel(load_dataset("mnist", offline())), 40);
  write_idx_set(explicit_dir, 3, 50);
  EXPECT_EQ(first_pixel(load_dataset("mnist", offline(explicit_dir))), 50);
  write_idx_set(explicit_dir / "mnist", 3, 60);
  EXPECT_EQ(first_pixel(load_dataset("mnist", offline(explicit_dir))), 60);
}

TEST(Registry, AnExplicitDataDirWithoutTheFilesIsAnErrorEvenIfOthersHaveThem) {
  const Machine machine;
  write_idx_set(machine.data / "mnist", 3, 1);
  const auto wrong = machine.folder.path() / "wrong";
  std::filesystem::create_directories(wrong);
  const Error error = error_of([&] { load_dataset("mnist", offline(wrong)); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  EXPECT_TRUE(contains(error, "train-images-idx3-ubyte and train-labels-idx1-ubyte")) << error.what();
  EXPECT_TRUE(contains(error, (wrong / "mnist").string() + " (no such folder), " + wrong.string() + "."))
      << error.what();
}

TEST(Registry, OfflineErrorListsEveryPlace) {
  const Machine machine;
  const Error error = error_of([&] { load_dataset("fashion-mnist", offline({}, Split::test)); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  EXPECT_TRUE(contains(error, "t10k-images-idx3-ubyte")) << error.what();
  for (const auto& place :
       {machine.data / "fashion-mnist", machine.data, machine.cache / "diffusion/fashion-mnist"})
    EXPECT_TRUE(contains(error, place.string() + " (no such folder)")) << error.what();

  const ScopedEnvironment no_home("HOME", std::nullopt), no_xdg("XDG_CACHE_HOME", std::nullopt);
  const Error homeless = error_of([&] { load_dataset("mnist", DataOptions{}); });
  EXPECT_TRUE(contains(homeless, "HOME is not set")) << homeless.what();
}

TEST(Registry, TheFolderOfAnotherKnownSetIsNotTakenForThisOne) {
  const Machine machine;
  write_idx_set(machine.data / "fashion-mnist", 3, 1);
  EXPECT_EQ(load_dataset("fashion-mnist", offline(machine.data / "fashion-mnist")).count(), 3);
  EXPECT_THROW(load_dataset("mnist", offline(machine.data / "fashion-mnist")), Error);
  EXPECT_THROW(load_dataset("mnist", offline(machine.data / "fashion-mnist/")), Error);
}

TEST(Registry, AcceptsAllSpellings) {
  const TemporaryFolder folder;
  const Bytes images = idx({1, 1, 1}, {77}), labels = idx({1}, {0});
  for (const char dash : {'-', '.'})
    for (const bool packed : {false, true}) {
      const auto place = folder.path() / fmt::format("set{}{}", int(dash), packed);
      std::filesystem::create_directories(place);
      const char* end = packed ? ".gz" : "";
      write_file(place / fmt::format("t10k-images{}idx3-ubyte{}", dash, end), packed ? gzip(images) : images);
      write_file(place / fmt::format("t10k-labels{}idx1-ubyte{}", dash, end), packed ? gzip(labels) : labels);
      EXPECT_EQ(first_pixel(load_dataset("mnist", offline(place, Split::test))), 77) << place;
      EXPECT_THROW(load_dataset("mnist", offline(place, Split::train)), Error) << place;
    }
}

TEST(Registry, AFolderIsADataSet) {
  const Machine machine;
  write_idx_set(machine.folder.path() / "own", 5, 9);
  write_idx_set(machine.folder.path() / "fashion-mnist", 5, 9);
  const Dataset own = load_dataset((machine.folder.path() / "own/").string(), offline());
  EXPECT_EQ(own.name, "own");
  EXPECT_EQ(own.count(), 5);
  EXPECT_EQ(own.class_names, (std::vector<std::string>{"0", "1", "2"}));
  const Dataset fashion = load_dataset((machine.folder.path() / "fashion-mnist").string(), offline());
  EXPECT_EQ(fashion.class_names.at(9), "Ankle boot");

  std::filesystem::remove(machine.folder.path() / "own/train-labels-idx1-ubyte");
  const Error error = error_of([&] { load_dataset((machine.folder.path() / "own").string(), offline()); });
  EXPECT_EQ(error.kind(), ErrorKind::bad_input);
  EXPECT_TRUE(contains(error, "train-labels-idx1-ubyte")) << error.what();
}

TEST(Registry, UnknownNamesListTheKnownOnes) {
  for (const std::string name : {"cifar", "", "/no/such/folder", "MNIST"}) {
    const Error error = error_of([&] { load_dataset(name, offline()); });
    EXPECT_EQ(error.kind(), ErrorKind::usage) << name;
    EXPECT_TRUE(contains(error, "fashion-mnist, mnist, cifar10, shapes")) << error.what();
  }
}

TEST(Registry, ShapesNeedNothingAndTheirSplitsDiffer) {
  const Dataset train = load_dataset("shapes", offline()),
                test = load_dataset("shapes", offline({}, Split::test));
  EXPECT_EQ(train.count(), 20000);
  EXPECT_EQ(test.count(), 4000);
  EXPECT_FALSE(std::ranges::equal(test.image(0), train.image(0)));
}

TEST(Registry, EverySetIsBroughtIntoTheFormAskedFor) {
  DataOptions options = offline({}, Split::test);
  options.prepare.form.size = {32, 40};
  options.prepare.form.channels = 3;
  options.shards = 1000;
  options.shard = 7;
  const Dataset plain = load_dataset("shapes", options);
  EXPECT_EQ(plain.count(), 4);
  EXPECT_EQ(plain.image(3).size(), 32u * 40 * 3);
  EXPECT_EQ(plain.labels[3], load_dataset("shapes", offline({}, Split::test)).labels[3007]);
  options.prepare.form.random_crop = true;
  const Dataset wide = load_dataset("shapes", options);
  EXPECT_EQ(wide.height, 36);
  EXPECT_EQ(wide.width, 45);
  EXPECT_EQ(wide.example_height(), 32);
  EXPECT_EQ(wide.example_width(), 40);
  options.prepare.form.channels = 2;
  EXPECT_EQ(error_of([&] { load_dataset("shapes", options); }).kind(), ErrorKind::usage);
  options.prepare.form.channels = 3;
  options.shard = 1000;
  EXPECT_EQ(error_of([&] { load_dataset("shapes", options); }).kind(), ErrorKind::usage);
}

TEST(Registry, TheTableIsWellFormed) {
  for (const DatasetEntry& entry : dataset_table()) {
    EXPECT_EQ(entry.class_names.size(), 10u) << entry.name;
    for (const PublishedFile& file : entry.files)
      EXPECT_TRUE(file.md5.size() == 32 &&
                  file.md5.find_first_not_of("0123456789abcdef") == std::string::npos);
    EXPECT_TRUE(entry.files.empty() || entry.url.back() == '/');
    if (entry.form != DatasetForm::idx) continue;
    EXPECT_EQ(entry.files.at(0).name, published_images_name(Split::train));
    EXPECT_EQ(entry.files.at(1).name, published_labels_name(Split::train));
    EXPECT_EQ(entry.files.at(2).name, published_images_name(Split::test));
    EXPECT_EQ(entry.files.at(3).name, published_labels_name(Split::test));
  }
}

// A row like that of mnist, published in a local folder. The label file is the one byte sequence 00 00 08 01
// 00 00 00 02 00 01, the image file 00 00 08 03 00 00 00 02 00 00 00 01 00 00 00 01 05 06; sums by md5sum.
DatasetEntry published_in(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  write_file(folder / "train-images-idx3-ubyte.gz", idx({2, 1, 1}, {5, 6}));
  write_file(folder / "train-labels-idx1-ubyte.gz", idx({2}, {0, 1}));
  return {.name = "mnist",
          .class_names = {"zero", "one"},
          .form = DatasetForm::idx,
          .url = "file://" + folder.string() + "/",
          .files = {{"train-images-idx3-ubyte.gz", "b041fb1ac3bd1c964eb038db17c14bc8"},
                    {"train-labels-idx1-ubyte.gz", "2210151d4a7b9cf10578f539021869ac"},
                    {"t10k-images-idx3-ubyte.gz", ""},
                    {"t10k-labels-idx1-ubyte.gz", ""}}};
}

TEST(Registry, DownloadsTheSplitIntoTheCacheOnce) {
  const Machine machine;
  const auto source = machine.folder.path() / "published";
  const DatasetEntry entry = published_in(source);
  EXPECT_THROW(load_published(entry, offline()), Error);
  std::vector<std::string> fetched;
  DataOptions options;
  options.progress = [&](const std::string& file, std::uint64_t, std::uint64_t) {
    if (fetched.empty() || fetched.back() != file) fetched.push_back(file);
  };
  EXPECT_EQ(first_pixel(load_published(entry, options)), 5);
  EXPECT_EQ(fetched, (std::vector<std::string>{"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"}));

  std::filesystem::remove_all(source);
  EXPECT_EQ(load_published(entry, offline()).labels, (std::vector<std::uint16_t>{0, 1}));
}

TEST(Registry, DownloadsOnlyWhatTheCacheLacks) {
  const Machine machine;
  const auto source = machine.folder.path() / "published";
  const DatasetEntry entry = published_in(source);
  std::filesystem::create_directories(machine.cache / "diffusion/mnist");
  std::filesystem::rename(source / "train-images-idx3-ubyte.gz",
                          machine.cache / "diffusion/mnist/train-images-idx3-ubyte.gz");
  EXPECT_EQ(first_pixel(load_published(entry, DataOptions{})), 5);
}

TEST(Registry, AFailedDownloadSaysWhatToDoByHand) {
  const Machine machine;
  DatasetEntry entry = published_in(machine.folder.path() / "published");
  const auto cache = machine.cache / "diffusion/mnist";
  const auto expect_instructions = [&](const Error& error) {
    EXPECT_TRUE(contains(error,
                         "put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
                         "t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz from " +
                             entry.url + " into " + cache.string()))
        << error.what();
    EXPECT_TRUE(contains(error, "data_dir")) << error.what();
    EXPECT_EQ(error.fields(), std::vector<std::string>{"data_dir"});
  };
  entry.files[1].md5 = std::string(32, '0');
  const Error wrong = error_of([&] { load_published(entry, DataOptions{}); });
  EXPECT_EQ(wrong.kind(), ErrorKind::bad_input);
  expect_instructions(wrong);
  EXPECT_FALSE(std::filesystem::exists(cache / "train-labels-idx1-ubyte.gz"));

  std::filesystem::remove_all(cache);
  entry.url = "http://127.0.0.1:1/";
  const Error refused = error_of([&] { load_published(entry, DataOptions{}); });
  EXPECT_EQ(refused.kind(), ErrorKind::io);
  expect_instructions(refused);
  EXPECT_TRUE(std::filesystem::is_empty(cache));

  std::filesystem::remove_all(machine.cache);
  write_file(machine.cache, {1});
  const Error blocked = error_of([&] { load_published(entry, DataOptions{}); });
  EXPECT_EQ(blocked.kind(), ErrorKind::io);
  expect_instructions(blocked);
}

TEST(Registry, LoadsTheRealFashionMnist) {
  const auto folder = real_data();
  if (!folder) GTEST_SKIP() << "skipped: no Fashion-MNIST here";
  for (const auto& [split, count] : {std::pair{Split::train, 60000}, std::pair{Split::test, 10000}}) {
    const Dataset dataset = load_dataset("fashion-mnist", offline(*folder, split));
    EXPECT_EQ(dataset.count(), count);
    EXPECT_EQ(dataset.height, 28);
    EXPECT_EQ(dataset.width, 28);
    EXPECT_EQ(dataset.channels, 1);
    std::array<int, 10> counts{};
    for (const auto label : dataset.labels) ++counts.at(label);
    for (const int n : counts) EXPECT_EQ(n, count / 10);
  }
}

}  // namespace
}  // namespace diffusion
