#include "formats/delimited.h"

#include <diffusion/error.h>
#include <gtest/gtest.h>

#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;
using Records = std::vector<std::vector<std::string>>;

Records read(std::string_view text, Delimited form, std::vector<std::int64_t>* lines = nullptr) {
  DelimitedReader reader(text, form, "table");
  Records records;
  while (reader.next()) {
    records.push_back(reader.fields());
    if (lines != nullptr) lines->push_back(reader.line());
  }
  return records;
}

TEST(Delimited, CsvQuotesAsInTheRfc) {
  std::vector<std::int64_t> lines;
  EXPECT_EQ(read("a,b,c\r\n\"x, y\",\"say \"\"hi\"\"\",\n\"two\nlines\",\"\",z\r\n\r\n\n1,2,3",
                 Delimited::csv, &lines),
            (Records{{"a", "b", "c"}, {"x, y", "say \"hi\"", ""}, {"two\nlines", "", "z"}, {"1", "2", "3"}}));
  EXPECT_EQ(lines, (std::vector<std::int64_t>{1, 2, 3, 7}));
  EXPECT_EQ(read("a;b\tc\n", Delimited::csv), (Records{{"a;b\tc"}}));
  EXPECT_EQ(read("a\rb,c\r\n", Delimited::csv), (Records{{"a\rb", "c"}}));  // not every CR ends a line
  EXPECT_EQ(read("a,\n,\n", Delimited::csv), (Records{{"a", ""}, {"", ""}}));
  EXPECT_EQ(read("\"\"", Delimited::csv), (Records{{""}}));
}

TEST(Delimited, TsvQuotesNothing) {
  EXPECT_EQ(read("a\tb\n\"x\t5\" tall, \"\"\r\n\t\n", Delimited::tsv),
            (Records{{"a", "b"}, {"\"x", "5\" tall, \"\""}, {"", ""}}));
}

TEST(Delimited, NothingHasNoRecords) {
  for (const char* text : {"", "\n", "\r\n\n"}) EXPECT_TRUE(read(text, Delimited::csv).empty()) << text;
}

TEST(Delimited, SaysWhatIsWrongAndWhere) {
  const auto message = [](std::string_view text, Delimited form = Delimited::csv) {
    return error_of(ErrorKind::bad_input, [&] { read(text, form); });
  };
  EXPECT_EQ(message("a,b\n1,2,3\n"), "table, line 2: there are 3 fields, but the first line has 2.");
  EXPECT_EQ(message("a\tb\nx\n", Delimited::tsv),
            "table, line 2: there are 1 fields, but the first line has 2.");
  EXPECT_EQ(message("a,b\n1,\"x\ny\n"),
            "table, line 2: the quoted field 2 that begins in line 2 is not closed.");
  EXPECT_NE(message("a,b\n1,\"x\"y\n").find("line 2: something follows the closing quote of field 2"),
            std::string::npos);
  EXPECT_NE(message("a,b\n\n5\" tall,2\n").find("line 3: field 1 holds a quote but does not begin with one"),
            std::string::npos);
}

TEST(Delimited, RecordsHaveALimit) {
  const std::string longest(kMaxRecordBytes - 2, 'x');
  EXPECT_EQ(read(longest + "\n", Delimited::tsv), (Records{{longest}}));
  EXPECT_EQ(read('"' + longest + '"', Delimited::csv), (Records{{longest}}));
  for (const std::string& text :
       {"a\n" + longest + "yyy", "a\n\"" + longest + "y\"\n", "a\n\"" + longest + longest})
    for (const Delimited form : {Delimited::csv, Delimited::tsv})
      EXPECT_NE(error_of(ErrorKind::bad_input, [&] { read(text, form); })
                    .find("table, line 2: the record has more than the 1048576 bytes"),
                std::string::npos);
}

}  // namespace
}  // namespace diffusion
