#include "series/read_series.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include <diffusion/error.h>

namespace diffusion {
namespace {

SeriesTable parse_csv(const std::string& text) {
  return read_series(text, "sales.csv");
}

void expect_refused(const std::string& text, std::initializer_list<const char*> parts) {
  try {
    parse_csv(text);
    ADD_FAILURE() << "accepted: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_input);
    for (const char* part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(ReadSeries, ColumnsWithoutTimes) {
  const SeriesTable table = parse_csv("a,b\n1,2.5\n-3e2, 4 \n");
  ASSERT_EQ(table.series.size(), 2u);
  EXPECT_EQ(table.series[0].id, "a");
  EXPECT_EQ(table.series[0].values, (std::vector<double>{1, -300}));
  EXPECT_EQ(table.series[1].values, (std::vector<double>{2.5, 4}));
  EXPECT_FALSE(table.interval);
  EXPECT_EQ(table.gaps(), 0);
}

TEST(ReadSeries, GapsAreEmptyOrNotANumberAndNothingIsFilledIn) {
  const SeriesTable table = parse_csv("a,b\n,1\nNaN,2\nNA,3\nnan,4\n5,\n");
  EXPECT_EQ(table.gaps(), 5);
  EXPECT_TRUE(std::isnan(table.series[0].values[0]));
  EXPECT_EQ(table.series[0].values[4], 5);
  EXPECT_TRUE(std::isnan(table.series[1].values[4]));
}

TEST(ReadSeries, TimesThatAreLeftOutAreGaps) {
  const SeriesTable table =
      parse_csv("date,load\n2024-02-28 22:00,1\n2024-02-28 23:00,2\n2024-02-29T02:00:00,3\n");
  EXPECT_EQ(table.interval, 3600);
  EXPECT_TRUE(table.has_dates);
  ASSERT_EQ(table.series[0].values.size(), 5u);
  EXPECT_TRUE(std::isnan(table.series[0].values[2]));
  EXPECT_EQ(table.series[0].values[4], 3);
  EXPECT_EQ(date_text(time_of(table, table.series[0], 4)), "2024-02-29 02:00:00");
}

TEST(ReadSeries, LongFilesMayMixSeriesAndOrderColumnsAsTheyLike) {
  const SeriesTable table = parse_csv("time,id,value\n1,x,10\n5,y,1\n2,x,20\n6,y,2\n4,x,40\n");
  ASSERT_EQ(table.series.size(), 2u);
  EXPECT_EQ(table.series[0].id, "x");
  EXPECT_EQ(table.series[0].values.size(), 4u);
  EXPECT_EQ(table.series[0].values[3], 40);
  EXPECT_EQ(table.gaps(), 1);
  EXPECT_EQ(table.series[1].start, 5);
  for (const char* header : {"unique_id,ds,y", "id,date,value", "item_id,timestamp,target"})
    EXPECT_EQ(parse_csv(std::string(header) + "\na,2020-01-01,1\na,2020-01-02,2\n").interval, 86400);
}

TEST(ReadSeries, RowsOfTheM4CompetitionEndWhereTheRestIsEmpty) {
  const SeriesTable table =
      parse_csv("\"V1\",\"V2\",\"V3\",\"V4\"\n\"H1\",\"1\",\"2\",\"3\"\n\"H2\",\"4\",,\n");
  ASSERT_EQ(table.series.size(), 2u);
  EXPECT_EQ(table.series[0].values, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(table.series[1].values, (std::vector<double>{4}));
}

TEST(ReadSeries, ErrorsNameLineAndColumn) {
  expect_refused("a,b\n1,2\n3,four\n", {"sales.csv, line 3, column 2 (b): \"four\"", "a finite number"});
  expect_refused("a\n1\ninf\n", {"line 3", "\"inf\""});
  expect_refused("a\n1e999\n", {"line 2", "1e999"});
  expect_refused("a\n-1e100\n1.1e100\n", {"line 3", "1.1e100", "at most 1e+100"});
  expect_refused(std::string("a\0b\n1\n", 6), {"bytes that are 0"});
  expect_refused("a\n1 2\n", {"line 2", "1 2"});
  expect_refused("date,a\n2024-01-01,1\nyesterday,2\n", {"line 3", "\"yesterday\"", "a time"});
  expect_refused("date,a\n2024-02-30,1\n", {"line 2", "2024-02-30"});
}

TEST(ReadSeries, EmptyLinesAreNoGapsInAFileOfOneColumn) {
  expect_refused("a\n1\n\n3\n", {"sales.csv, line 3, column a", "NaN"});
  EXPECT_EQ(parse_csv("a\n\n1\n2\n\n\n").series[0].values, (std::vector<double>{1, 2}));
  EXPECT_EQ(parse_csv("a,b\n1,2\n\n3,4\n").series[0].values, (std::vector<double>{1, 3}));
}

TEST(ReadSeries, TimesMustRise) {
  expect_refused("time,a\n1,1\n3,2\n2,3\n", {"line 4", "sort the lines by time"});
  expect_refused("time,a\n1,1\n1,2\n", {"line 3", "without repetitions"});
  expect_refused("time,a\n0,1\n2,2\n5,3\n", {"line 4", "no multiple", "2"});
  expect_refused("time,a\n1,1\n2024-01-01,3\n", {"line 3", "in the form of those before"});
}

TEST(ReadSeries, AFewLinesDoNotBecomeABillionGaps) {
  expect_refused("time,a\n0,1\n1,1\n1000000000000,2\n", {"lines 2 to 4", "leave out at most 95%"});
}

TEST(ReadSeries, FilesWithoutSeriesAreRefused) {
  expect_refused("", {"sales.csv is empty"});
  expect_refused("time\n1\n", {"no series"});
  expect_refused("a,b\n1,\n2,NaN\n", {"series b has no value"});
  expect_refused("a,a\n1,2\n", {"a is there twice"});
  expect_refused("a,\n1,2\n", {"no name"});
}

TEST(ReadSeries, DatesGoThereAndBack) {
  for (const char* text : {"1970-01-01 00:00:00", "1969-12-31 23:59:59", "2016-07-01 13:07:05"})
    EXPECT_EQ(date_text(*parse_date(text)), text);
  for (const char* text :
       {"", "2016", "2016-13-01", "2016-07-01 24:00", "2016-07-01x13:00", "2016-07-01 1:00"})
    EXPECT_FALSE(parse_date(text)) << text;
}

TEST(SplitSeries, KeepsTheEndApart) {
  SeriesTable table{"t", {{"a", {1, 2, 3, 4}, 10}}, 2, false};
  const SplitSeries split = split_at_end(table, 1);
  EXPECT_EQ(split.history.series[0].values, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(split.future.series[0].values, (std::vector<double>{4}));
  EXPECT_EQ(split.future.series[0].start, 16);
  EXPECT_THROW(split_at_end(table, 4), Error);
}

}  // namespace
}  // namespace diffusion
