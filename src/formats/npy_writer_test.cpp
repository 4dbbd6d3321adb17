#include "formats/npy_writer.h"

#include <gtest/gtest.h>

#include <limits>

#include "files/fs.h"
#include "formats/npy.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;
using Dims = std::vector<std::int64_t>;

TEST(NpyWriter, PiecesMakeTheSameFileAsAWhole) {
  const scratch::Folder folder;
  const std::vector<float> values{1, -2, 3.5f, 0, 5, 6};
  write_npy(folder / "whole.npy", Dims{3, 2}, values);
  NpyWriter file(folder / "pieces.npy", NpyType::float32, Dims{3, 2});
  file.append(std::span(values).first(1));
  file.append(std::span<const float>());
  file.append(std::span(values).subspan(1));
  EXPECT_FALSE(std::filesystem::exists(folder / "pieces.npy"));
  file.commit();
  EXPECT_EQ(read_text_file(folder / "pieces.npy", 1000), read_text_file(folder / "whole.npy", 1000));
  EXPECT_EQ(folder.files(), (std::vector<std::string>{"pieces.npy", "whole.npy"}));
}

TEST(NpyWriter, KeepsTheOldFileUntilItIsWhole) {
  const scratch::Folder folder;
  const std::vector<std::uint8_t> two{1, 2};
  write_file(folder / "a.npy", "old");
  {
    NpyWriter file(folder / "a.npy", NpyType::uint8, Dims{3});
    file.append(two);
    error_of(ErrorKind::usage, [&] { file.append(two); });
    error_of(ErrorKind::usage, [&] { file.append(std::vector<float>{1}); });
    error_of(ErrorKind::usage, [&] { file.commit(); });
  }
  EXPECT_EQ(read_text_file(folder / "a.npy", 1000), "old");
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a.npy"});
}

TEST(NpyWriter, ReportsAFullDisk) {
  const scratch::Folder folder;
  {
    const scratch::FileSizeLimit limit(4096);
    NpyWriter file(folder / "a.npy", NpyType::uint8, Dims{100, 100});
    const std::vector<std::uint8_t> row(100);
    const std::string message = error_of(ErrorKind::io, [&] {
      for (int i = 0; i < 100; ++i) file.append(row);
    });
    EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  }
  EXPECT_TRUE(folder.files().empty());
}

TEST(NpyWriter, RefusesShapesThatCannotBe) {
  const scratch::Folder folder;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  for (const Dims& dims : {Dims{-1}, Dims{kMost, 2}, Dims{kMost / 2}, Dims(33, 1)})
    error_of(ErrorKind::usage, [&] { NpyWriter(folder / "a.npy", NpyType::float32, dims); });
  EXPECT_TRUE(folder.files().empty());
  EXPECT_EQ(npy_bytes(NpyType::float32, Dims{3, 2}), 24u);
  EXPECT_EQ(npy_bytes(NpyType::uint8, Dims{100'000, 100'000}), 10'000'000'000u);
}

}  // namespace
}  // namespace diffusion
