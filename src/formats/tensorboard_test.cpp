#include "formats/tensorboard.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[std::uint8_t(byte) >> 4];
    text += kDigits[std::uint8_t(byte) & 15];
  }
  return text;
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// RFC 3720, appendix B.4, and the check value of the catalogs of CRCs.
TEST(Crc32c, HasThePublishedValues) {
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) {
    ascending += char(i);
    descending += char(31 - i);
  }
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c(ascending), 0x46dd794eu);
  EXPECT_EQ(crc32c(descending), 0x113fdb5cu);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

// tests/golden/make_tensorboard_goldens.py
TEST(EventRecords, AreTheBytesOfTensorBoardsOwnWriter) {
  EXPECT_EQ(hex(tfrecord(version_event(1700000000.25))),
            "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9");
  EXPECT_EQ(hex(tfrecord(session_start_event(1700000000.5, 301))),
            "100000000000000095fbfe180900002040fc54d94110ad023a020801596f3f79");
  const std::vector<Scalar> scalars{{"train/loss", 0.1}, {"held_out/loss", -2.5e-3}};
  EXPECT_EQ(
      hex(tfrecord(scalars_event(1700000001.75, 301, scalars))),
      "3700000000000000e7e8ca590900007040fc54d94110ad022a290a110a0a747261696e2f6c6f737315cdcccc3d0a140a0d68"
      "656c645f6f75742f6c6f7373150ad723bb41404308");
}

TEST(EventRecords, HoldLongTagsAndLargeSteps) {
  const std::string tag(300, 'x');
  const std::string event = scalars_event(0, 999'999'999, std::vector<Scalar>{{tag, 1}});
  EXPECT_EQ(hex(event.substr(9, 6)), "10ff93ebdc03") << "the step, as a varint";
  // 0a, length 300 in two bytes, the tag, 15 and four bytes: 308. That in 0a and two bytes: 311.
  EXPECT_EQ(hex(event.substr(15, 9)), "2ab7020ab4020aac02");
  EXPECT_NE(event.find(tag), std::string::npos);
  EXPECT_EQ(event.size(), 15u + 3 + 311);
}

TEST(EventFile, BeginsWithVersionAndSessionAndGrowsByWholeRecords) {
  const scratch::Folder folder;
  EventFile file(folder.path(), 8);
  ASSERT_EQ(folder.files().size(), 1u);
  const fs::path path = folder / folder.files()[0];
  const std::size_t start = text_of(path).size();
  EXPECT_EQ(start, tfrecord(version_event(0)).size() + tfrecord(session_start_event(0, 8)).size());
  const std::vector<Scalar> scalars{{"a", std::numeric_limits<double>::quiet_NaN()}, {"b", 1e300}};
  file.add(8, scalars);
  const std::string text = text_of(path);
  EXPECT_EQ(text.size(), start + tfrecord(scalars_event(0, 8, scalars)).size()) << "nothing held back";
  const std::string session = text.substr(tfrecord(version_event(0)).size() + 12, 16);
  EXPECT_EQ(hex(session.substr(9)).substr(0, 12), "10083a020801");
}

TEST(EventFile, NamesSortInTheOrderOfTheFiles) {
  const scratch::Folder folder;
  std::ofstream(folder / "events.out.tfevents.9000000000.elsewhere") << "of a clock that was ahead";
  std::ofstream(folder / "events.out.tfevents.99999999999999999999.x") << "no number of ours";
  std::vector<std::string> before = folder.files();
  for (int k = 0; k < 3; ++k) {
    const EventFile file(folder.path(), 1);
    const std::vector<std::string> names = folder.files();  // sorted
    ASSERT_EQ(names.size(), before.size() + 1);
    EXPECT_EQ(names[std::size_t(k) + 1],
              "events.out.tfevents." + std::to_string(9000000001 + k) + ".diffusion");
    before = names;
  }
}

TEST(EventFile, TellsWhereItCannotBeWritten) {
  const scratch::Folder folder;
  const std::string message = scratch::error_of(ErrorKind::io, [&] { EventFile(folder / "absent", 1); });
  EXPECT_NE(message.find("/absent"), std::string::npos) << message;
  EventFile file(folder.path(), 1);
  const scratch::FileSizeLimit limit(100);
  const std::vector<Scalar> scalars{{"train/loss", 1}};
  const std::string full = scratch::error_of(ErrorKind::io, [&] {
    for (int step = 1; step < 100; ++step) file.add(step, scalars);
  });
  EXPECT_NE(full.find("events.out.tfevents."), std::string::npos) << full;
}

}  // namespace
}  // namespace diffusion
