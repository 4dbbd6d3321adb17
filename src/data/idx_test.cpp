#include "data/idx.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <ctime>

#include "support/fixtures.h"

namespace diffusion {
namespace {

using namespace fixtures;

const Bytes kPixels{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255};

Bytes good_images() {
  return idx({2, 3, 2}, kPixels);
}

Bytes first(Bytes bytes, std::size_t count) {
  bytes.resize(count);
  return bytes;
}

Bytes changed(Bytes bytes, std::size_t at, std::uint8_t value) {
  bytes.at(at) = value;
  return bytes;
}

TEST(Idx, ReadsPlainAndGzipByContentNotName) {
  const TemporaryFolder folder;
  const Bytes half_a = first(good_images(), 9), whole = good_images();
  const Bytes half_b(whole.begin() + 9, whole.end());
  for (const Bytes& file : {whole, gzip(whole), gzip(half_a) + gzip(half_b)}) {
    for (const char* name : {"images", "images.gz"}) {
      const IdxArray array = read_idx(write_file(folder.path() / name, file), 3);
      EXPECT_EQ(array.extents, (std::vector<std::uint32_t>{2, 3, 2}));
      EXPECT_EQ(array.values, kPixels);
    }
  }
}

TEST(Idx, ReadsDataLongerThanTheInputBuffer) {
  const TemporaryFolder folder;
  Bytes values(300'000);
  std::uint32_t state = 1;
  for (auto& v : values) v = std::uint8_t((state = state * 1664525 + 1013904223) >> 24);
  const Bytes file = idx({300'000}, values);
  EXPECT_EQ(read_idx(write_file(folder.path() / "plain", file), 1).values, values);
  EXPECT_EQ(read_idx(write_file(folder.path() / "packed", gzip(file)), 1).values, values);
}

struct Rejection {
  std::string what;
  Bytes file;
  std::string reason;  // part of the message
};

TEST(Idx, RejectsEverythingElse) {
  const Bytes good = good_images(), packed = gzip(good);
  const std::size_t trailer = packed.size() - 8;  // CRC-32, then length
  const std::vector<Rejection> rejections{
      {"empty", {}, "holds only 0 bytes"},
      {"three bytes", first(good, 3), "holds only 3 bytes"},
      {"png", text("\x89PNG\r\n\x1a\n and so on"), "not an IDX file: it starts with 89 50 4e 47 (\".PNG\")"},
      {"html", text("<!DOCTYPE html><title>404</title>"),
       "not an IDX file: it starts with 3c 21 44 4f (\"<!DO\")"},
      {"html in gzip", gzip(text("<html></html>")), "not an IDX file"},
      {"empty gzip", gzip({}), "holds only 0 bytes"},
      {"second magic byte", changed(good, 1, 1), "it starts with 00 01 08 03"},
      {"signed bytes", changed(good, 2, 0x09), "element type 0x09; only 0x08"},
      {"floats", changed(good, 2, 0x0d), "element type 0x0d"},
      {"labels", idx({12}, kPixels), "rank 1, but rank 3 is accepted"},
      {"rank 4", idx({2, 3, 2, 1}, kPixels), "rank 4, but rank 3"},
      {"rank 0", changed(good, 3, 0), "rank 0, but rank 3"},
      {"cut header", first(good, 15), "ends inside its IDX header, after 15 of 16 bytes"},
      {"no images", idx({0, 3, 2}, {}), "extents [0, 3, 2]; each must be at least 1"},
      {"no width", idx({2, 3, 0}, {}), "extents [2, 3, 0]"},
      {"one byte short", first(good, good.size() - 1),
       "is truncated: its header promises 12 elements, [2, 3, 2]"},
      {"header only", first(good, 16), "is truncated"},
      {"one byte long", good + Bytes{0}, "has trailing data: its header promises 12 elements"},
      {"packed, one byte short", gzip(first(good, good.size() - 1)), "but only 11 follow"},
      {"packed, one byte long", gzip(good + Bytes{0}), "has trailing data: its header promises"},
      {"packed, twice", packed + packed, "has trailing data: its header promises"},
      {"bytes after gzip", packed + Bytes{0},
       "trailing data after the end of its gzip stream of 28 unpacked bytes"},
      {"junk member after gzip", packed + Bytes{0x1f, 0x00, 0x00}, "damaged gzip"},
      {"gzip cut in the data", first(packed, packed.size() / 2), "truncated gzip file"},
      {"gzip cut in the checksum", first(packed, packed.size() - 6), "truncated gzip file"},
      {"gzip magic only", first(packed, 2), "truncated gzip file"},
      {"wrong CRC", changed(packed, trailer, std::uint8_t(packed[trailer] ^ 1)), "damaged gzip file"},
      {"wrong length", changed(packed, trailer + 4, std::uint8_t(packed[trailer + 4] ^ 1)),
       "damaged gzip file"},
      {"wrong method", changed(packed, 2, 7), "damaged gzip file"},
      {"broken deflate", changed(packed, 10, 0xff), "damaged gzip file"},
      {"absurd", idx({0xffffffff, 0xffffffff, 0xffffffff}, {}), "at most 268435456 elements"},
      {"absurd, wraps to 0 in 64 bits", idx({1u << 31, 1u << 31, 4}, {}), "at most 268435456 elements"},
      {"one above the cap", idx({16385, 128, 128}, {}), "at most 268435456 elements"},
      {"at the cap, but empty", idx({16384, 128, 128}, {}), "is truncated"},
      {"at the cap, packed, but empty", gzip(idx({16384, 128, 128}, {})), "is truncated"},
  };
  const TemporaryFolder folder;
  for (const Rejection& rejection : rejections) {
    SCOPED_TRACE(rejection.what);
    const auto path = write_file(folder.path() / "train-images", rejection.file);
    const Error error = error_of([&] { read_idx(path, 3); });
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(rejection.reason), std::string::npos) << error.what();
  }
}

TEST(Idx, EveryCutAndEveryFlippedBitOfAGzipFileIsRejectedOrHarmless) {
  const TemporaryFolder folder;
  const Bytes packed = gzip(good_images());
  for (std::size_t size = 0; size < packed.size(); ++size)
    EXPECT_THROW(read_idx(write_file(folder.path() / "f", first(packed, size)), 3), Error) << size;
  for (std::size_t bit = 0; bit < 8 * packed.size(); ++bit) {
    const auto flipped = changed(packed, bit / 8, std::uint8_t(packed[bit / 8] ^ 1 << bit % 8));
    try {  // some bits of the gzip header say nothing about the data
      EXPECT_EQ(read_idx(write_file(folder.path() / "f", flipped), 3).values, kPixels) << bit;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input) << bit;
    }
  }
}

TEST(Idx, UnpacksNoMoreOfABombThanItsHeaderPromises) {
  const TemporaryFolder folder;
  const Bytes zeros = gzip(Bytes(1'000'000));
  Bytes bomb = gzip(idx({1, 2, 2}, Bytes(4)));
  for (int member = 0; member < 400; ++member) bomb.insert(bomb.end(), zeros.begin(), zeros.end());
  ASSERT_LT(bomb.size(), 1'000'000u);
  const auto path = write_file(folder.path() / "bomb.gz", bomb);
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  const auto start = std::clock();
  const Error error = error_of([&] { read_idx(path, 3); });
  getrusage(RUSAGE_SELF, &after);
  EXPECT_NE(std::string(error.what()).find("trailing data"), std::string::npos) << error.what();
  EXPECT_LT(double(std::clock() - start) / CLOCKS_PER_SEC, 0.1);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 * 1024);  // kB
}

TEST(Idx, SaysWhyAFileCannotBeOpened) {
  const TemporaryFolder folder;
  const Error missing = error_of([&] { read_idx(folder.path() / "nothing", 3); });
  EXPECT_EQ(missing.kind(), ErrorKind::io);
  EXPECT_NE(std::string(missing.what()).find("No such file"), std::string::npos) << missing.what();
  const Error directory = error_of([&] { read_idx(folder.path(), 3); });
  EXPECT_EQ(directory.kind(), ErrorKind::bad_input);
  EXPECT_NE(std::string(directory.what()).find("not a regular file"), std::string::npos) << directory.what();
}

TEST(IdxPair, MakesADataset) {
  const TemporaryFolder folder;
  const auto images = write_file(folder.path() / "i", good_images());
  const auto labels = write_file(folder.path() / "l", gzip(idx({2}, {2, 0})));
  const std::array<std::string, 3> classes{"a", "b", "c"};
  const Dataset dataset = read_idx_pair(images, labels, "toy", classes);
  EXPECT_EQ(dataset.name, "toy");
  EXPECT_EQ(dataset.count(), 2);
  EXPECT_EQ(dataset.height, 3);
  EXPECT_EQ(dataset.width, 2);
  EXPECT_EQ(dataset.channels, 1);
  EXPECT_EQ(dataset.labels, (std::vector<std::uint16_t>{2, 0}));
  EXPECT_EQ(dataset.class_names, (std::vector<std::string>{"a", "b", "c"}));
  const auto second = dataset.image(1);
  EXPECT_EQ(Bytes(second.begin(), second.end()), (Bytes{6, 7, 8, 9, 10, 255}));
  EXPECT_EQ(read_idx_pair(images, labels, "toy", {}).class_names, (std::vector<std::string>{"0", "1", "2"}));
}

TEST(IdxPair, RejectsCountsAndLabelsThatDoNotFit) {
  const TemporaryFolder folder;
  const auto images = write_file(folder.path() / "i", good_images());
  const auto three = write_file(folder.path() / "three", idx({3}, {0, 0, 0}));
  const auto high = write_file(folder.path() / "high", idx({2}, {1, 3}));
  const std::array<std::string, 3> classes{"a", "b", "c"};

  const Error counts = error_of([&] { read_idx_pair(images, three, "toy", classes); });
  EXPECT_EQ(counts.kind(), ErrorKind::bad_input);
  EXPECT_NE(std::string(counts.what()).find("holds 2 images, but " + three.string() + " holds 3 labels"),
            std::string::npos)
      << counts.what();

  const Error label = error_of([&] { read_idx_pair(images, high, "toy", classes); });
  EXPECT_EQ(label.kind(), ErrorKind::bad_input);
  EXPECT_NE(
      std::string(label.what()).find("label 3 at position 1, but toy has 3 classes: 0 to 2 are accepted"),
      std::string::npos)
      << label.what();
  EXPECT_NO_THROW(read_idx_pair(images, high, "toy", {}));

  EXPECT_EQ(error_of([&] { read_idx_pair(three, three, "toy", classes); }).kind(), ErrorKind::bad_input);
}

}  // namespace
}  // namespace diffusion
