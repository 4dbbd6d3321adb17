#include "data/cifar.h"

#include <gtest/gtest.h>

#include <diffusion/error.h>
#include "data/registry.h"
#include "support/fixtures.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using namespace fixtures;

constexpr std::size_t kImages = 2;  // in a file; really 10,000

// Labels 2k and 2k + 1 mod 10; red is all k, green counts rows, blue columns.
Bytes batch(int k) {
  Bytes bytes;
  for (int i = 0; i < int(kImages); ++i) {
    bytes.push_back(std::uint8_t((2 * k + i) % 10));
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x) bytes.push_back(std::uint8_t(c == 0 ? k : c == 1 ? y : x));
  }
  return bytes;
}

void write_batches(const fs::path& folder) {
  fs::create_directories(folder);
  for (int k = 1; k <= 5; ++k) write_file(folder / ("data_batch_" + std::to_string(k) + ".bin"), batch(k));
  write_file(folder / "test_batch.bin", batch(6));
}

void expect_training_set(const Dataset& dataset) {
  ASSERT_EQ(dataset.count(), 10);
  EXPECT_EQ(dataset.class_names.at(9), "truck");
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(dataset.labels.at(std::size_t(i)), (i + 2) % 10);
    EXPECT_EQ(dataset.image(i)[0], i / 2 + 1);
    EXPECT_EQ(dataset.image(i)[(3 * 32 + 5) * 3 + 1], 3);
    EXPECT_EQ(dataset.image(i)[(3 * 32 + 5) * 3 + 2], 5);
  }
}

TEST(Cifar, ReadsFilesFoldersAndTheArchive) {
  const TemporaryFolder folder;
  EXPECT_FALSE(read_cifar10(folder.path(), Split::train, kImages));
  std::vector<Member> members{{"cifar-10-batches-bin/readme.html", text("x")}};
  for (const int k : {3, 1, 5, 2, 4})
    members.push_back({"cifar-10-batches-bin/data_batch_" + std::to_string(k) + ".bin", batch(k)});
  members.push_back({"cifar-10-batches-bin/test_batch.bin", batch(6)});
  write_file(folder.path() / kCifar10Archive, gzip(tar(members)));
  expect_training_set(read_cifar10(folder.path(), Split::train, kImages).value());
  EXPECT_EQ(read_cifar10(folder.path(), Split::test, kImages).value().labels,
            (std::vector<std::uint16_t>{2, 3}));

  write_batches(folder.path() / "cifar-10-batches-bin");
  fs::remove(folder.path() / kCifar10Archive);
  expect_training_set(read_cifar10(folder.path(), Split::train, kImages).value());
  expect_training_set(read_cifar10(folder.path() / "cifar-10-batches-bin", Split::train, kImages).value());
  EXPECT_EQ(read_cifar10(folder.path(), Split::test, kImages).value().count(), 2);
}

TEST(Cifar, RefusesWrongSizesLabelsAndMissingFiles) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& file, const Bytes& content) {
    write_batches(folder.path());
    if (content.empty())
      fs::remove(folder.path() / file);
    else
      write_file(folder.path() / file, content);
    const Error e = error_of([&] { read_cifar10(folder.path(), Split::train, kImages); });
    EXPECT_EQ(e.kind(), ErrorKind::bad_input);
    EXPECT_NE(std::string(e.what()).find(file), std::string::npos) << e.what();
    return std::string(e.what());
  };
  Bytes shorter = batch(1), longer = batch(1), wrong = batch(3);
  shorter.pop_back();
  longer.push_back(0);
  wrong[3073] = 10;
  EXPECT_NE(error("data_batch_1.bin", shorter).find("6146"), std::string::npos);
  error("data_batch_1.bin", longer);
  EXPECT_NE(error("data_batch_3.bin", wrong).find("label 10 in record 1"), std::string::npos);
  error("data_batch_4.bin", {});

  for (const auto& members :
       std::vector<std::vector<Member>>{{{"data_batch_1.bin", batch(1)}},
                                        {{"data_batch_1.bin", batch(1)}, {"x/data_batch_1.bin", batch(1)}},
                                        {}}) {
    const auto path = write_file(folder.path() / "some.tar.gz", gzip(tar(members)));
    EXPECT_EQ(error_of([&] { read_cifar10_archive(path, Split::train, kImages); }).kind(),
              ErrorKind::bad_input);
  }
}

TEST(Cifar, TheWholeSetHasItsRealSize) {
  const TemporaryFolder folder;
  write_batches(folder.path());  // far too small
  const Error error = error_of([&] { read_cifar10(folder.path(), Split::train); });
  EXPECT_NE(std::string(error.what()).find("30730000"), std::string::npos) << error.what();
}

TEST(Cifar, ThePythonVersionIsRefusedWithAHint) {
  for (const char* name : {"cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1"}) {
    const TemporaryFolder folder;
    const ScopedEnvironment data("DIFFUSION_DATA_DIR", folder.path().string());
    const ScopedEnvironment cache("DIFFUSION_CACHE_DIR", (folder.path() / "cache").string());
    fs::create_directories(folder.path() / "cifar10");
    write_file(folder.path() / "cifar10" / name, {0x80, 2});
    for (const std::string& set : {std::string("cifar10"), (folder.path() / "cifar10").string()}) {
      const Error error = error_of([&] { load_dataset(set, {.allow_download = false}); });
      EXPECT_EQ(error.kind(), ErrorKind::bad_input);
      for (const char* part : {name, "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"})
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace diffusion
