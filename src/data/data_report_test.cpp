#include "data/data_report.h"

#include <gtest/gtest.h>

namespace diffusion {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Five images of one pixel with two channels.
Dataset three_classes() {
  return {"toy", 1, 1, 2, Bytes{0, 10, 255, 10, 0, 10, 51, 20, 255, 10}, {0, 2, 0, 2, 2}, {"a", "b", "c"}};
}

TEST(DataReport, CountsAveragesAndDuplicates) {
  const DataReport report = report_on(three_classes());
  EXPECT_EQ(report.class_counts, (std::vector<std::int64_t>{2, 0, 3}));
  ASSERT_EQ(report.channels.size(), 2u);
  EXPECT_NEAR(report.channels[0].mean, 112.2, 1e-12);
  EXPECT_NEAR(report.channels[0].deviation, 118.073536, 1e-6);  // sqrt((2 112.2^2 + 2 142.8^2 + 61.2^2) / 5)
  EXPECT_NEAR(report.channels[1].mean, 12, 1e-12);
  EXPECT_NEAR(report.channels[1].deviation, 4, 1e-12);
  EXPECT_EQ(report.duplicates, (std::vector<std::pair<int, int>>{{2, 0}, {4, 1}}));
}

TEST(DataReport, AShardIsReportedAlone) {
  const DataReport report = report_on(take_shard(three_classes(), 2, 0));
  EXPECT_EQ(report.class_counts, (std::vector<std::int64_t>{2, 0, 1}));
  EXPECT_EQ(report.duplicates, (std::vector<std::pair<int, int>>{{1, 0}}));
  EXPECT_NEAR(report.channels[0].mean, 85, 1e-12);
}

TEST(ContactSheet, RowsAreClasses) {
  Dataset dataset{"set", 30, 40, 1, {}, {}, {"a", "b", "c"}};
  Bytes pixels;
  for (int i = 0; i < 50; ++i) {
    pixels.insert(pixels.end(), 30 * 40, std::uint8_t(i));
    dataset.labels.push_back(std::uint16_t(i < 40 ? 0 : 2));
  }
  dataset.pixels = pixels;
  const Image sheet = contact_sheet(dataset, 4, {0, 0, 0});
  EXPECT_EQ(sheet.width, 4 * 40 + 3 * 2);
  EXPECT_EQ(sheet.height, 3 * 30 + 2 * 2);
  const auto tile = [&](int row, int column) {
    return int(sheet.pixels[std::size_t((row * 32 + 5) * sheet.width + column * 42 + 5)]);
  };
  for (int column = 0; column < 4; ++column) {
    EXPECT_EQ(tile(0, column), 10 * column);
    EXPECT_EQ(tile(1, column), 255);
    EXPECT_EQ(tile(2, column), 40 + 10 * column / 4);
  }
}

TEST(ContactSheet, WithoutLabelsASquareOfExamples) {
  Dataset dataset{"set", 1, 1, 4, {}, {}, {}};
  Bytes pixels;
  for (int i = 0; i < 90; ++i)
    pixels.insert(pixels.end(), {std::uint8_t(i), 0, 0, std::uint8_t(i < 45 ? 0 : 255)});
  dataset.pixels = pixels;
  const Image sheet = contact_sheet(dataset, 3, {7, 8, 9});
  EXPECT_EQ(sheet.channels, 3);
  EXPECT_EQ(sheet.width, 3 * 48 + 2 * 2);
  EXPECT_EQ(sheet.height, sheet.width);
  EXPECT_EQ(sheet.pixels[0], 7);  // behind a clear one
  EXPECT_EQ(sheet.pixels[std::size_t((sheet.width * sheet.height - 1) * 3)], 80);
  EXPECT_EQ(contact_sheet(take_shard(dataset, 30, 0), 10, {0, 0, 0}).width, 3 * 48 + 2 * 2);
}

}  // namespace
}  // namespace diffusion
