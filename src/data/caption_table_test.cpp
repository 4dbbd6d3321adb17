#include "data/caption_table.h"

#include <diffusion/error.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "formats/delimited.h"
#include "formats/json.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using enum CaptionTableForm;

std::vector<std::string> read(std::string_view text, CaptionTableForm form,
                              const std::vector<std::string>& columns = {}) {
  std::vector<std::string> found;
  for (const TableCaption& caption : parse_caption_table(text, form, columns, "table"))
    found.push_back(fmt::format("{} {}: {}", caption.line, caption.file, caption.text));
  return found;
}

using Found = std::vector<std::string>;

TEST(CaptionTable, ColumnsAreFoundByName) {
  EXPECT_EQ(read("file\tname\tkeywords\na.png\t a \"cat\" \tcat | pet\n\nb.png\tdog\tdog", tsv),
            (Found{"2 a.png: a \"cat\"", "4 b.png: dog"}));
  EXPECT_EQ(read("name,text,file_name\r\nx,\"one, two\",a.png\r\n", csv), (Found{"2 a.png: one, two"}));
  EXPECT_EQ(read("file,name,caption\na,b,c\n", csv), (Found{"2 a: c"}));
  EXPECT_EQ(read("\xef\xbb\xbf"
                 "file\ttext\na\tb\n",
                 tsv),
            (Found{"2 a: b"}));
  EXPECT_EQ(read("file\ttext\n", tsv), Found{});
}

TEST(CaptionTable, ColumnsThatAreNamedGiveACaptionEach) {
  const char* text = "file\tname\tkeywords\na.png\tcat\tpet\nb.png\tdog\twolf\n";
  EXPECT_EQ(read(text, tsv, {"keywords"}), (Found{"2 a.png: pet", "3 b.png: wolf"}));
  EXPECT_EQ(read(text, tsv, {"name", "keywords"}),
            (Found{"2 a.png: cat", "2 a.png: pet", "3 b.png: dog", "3 b.png: wolf"}));
}

TEST(CaptionTable, WhatARowSaysTwiceCountsOnce) {
  EXPECT_EQ(
      read("file\tname\tkeywords\na\tsushi\tsushi \nb\tcat\tpet\na\tsushi\tx\n", tsv, {"name", "keywords"}),
      (Found{"2 a: sushi", "3 b: cat", "3 b: pet", "4 a: sushi", "4 a: x"}));
  EXPECT_EQ(read(R"({"file": "a", "x": "b", "y": ["c", "b", "c"]})", jsonl, {"x", "y"}),
            (Found{"1 a: b", "1 a: c"}));
}

TEST(CaptionTable, JsonLinesMayHaveLists) {
  EXPECT_EQ(read("{\"file_name\": \"a.png\", \"text\": \"K\\u00e4tzchen\"}\n\n"
                 "{\"text\": [\" b\", \"c\"], \"file_name\": \"b.png\", \"other\": null}\r\n",
                 jsonl),
            (Found{"1 a.png: Kätzchen", "3 b.png: b", "3 b.png: c"}));
  EXPECT_EQ(read(R"({"file": "a", "x": "b", "y": ["c"]})", jsonl, {"y", "x"}), (Found{"1 a: c", "1 a: b"}));
  EXPECT_EQ(read("", jsonl), Found{});
}

struct Wrong {
  CaptionTableForm form;
  std::string text, says;
};

TEST(CaptionTable, SaysWhatIsWrongAndWhere) {
  const std::string longest(kMaxRecordBytes + 10, 'x');
  for (const auto& [form, text, says] : {
           Wrong{tsv, "", "table is empty"},
           Wrong{tsv, "file\ttitle\na\tb\n",
                 "table has the columns \"file\", \"title\"; needed are file_name or file with the file, and "
                 "text, or caption, or name with the caption"},
           Wrong{csv, "path,text\na,b\n",
                 "table has the columns \"path\", \"text\"; needed are file_name or file"},
           Wrong{csv, "file,text,text\na,b,c\n", "table has two columns \"text\""},
           Wrong{tsv, "file\ttext\na\t \n", "table, line 2: the caption (\"text\") of a is empty."},
           Wrong{tsv, "file\ttext\n\tx\n", "table, line 2: the file has no name."},
           Wrong{tsv, "file\ttext\na\tb\tc\n", "table, line 2: there are 3 fields"},
           Wrong{csv, "file,text\na,\"b\n", "table, line 2: the quoted field 2 that begins in line 2"},
           Wrong{tsv, "file\ttext\na\tb\xff\n", "table, line 2: byte 4 of the line, 0xff, is not UTF-8."},
           Wrong{tsv, "file\ttext\na\t\xc3", "table, line 2: byte 3 of the line, 0xc3, is not UTF-8."},
           Wrong{tsv, "file\ttext\na\t" + longest, "table, line 2: the record has more than"},
           Wrong{jsonl, "{\"file\": \"" + longest, "table, line 1: it has 1048596 bytes"},
           Wrong{jsonl, "{\"file\": \"a\"}", "table, line 1 has the columns \"file\"; needed are"},
           Wrong{jsonl, "{\"file\": \"a\", \"text\": \"b\"}\n{\"file\": \"a\"}", "table, line 2: field text"},
           Wrong{jsonl, "{\"file\": \"a\", \"text\": null}", "table, line 1: field text is null"},
           Wrong{jsonl, "{\"file\": \"a\", \"text\": []}", "table, line 1: field text is []"},
           Wrong{jsonl, "{\"file\": \"a\", \"text\": [\"b\", \" \"]}", "table, line 1: field text is ["},
           Wrong{jsonl, "{\"file\": \"a\", \"text\": [\"b\", 3]}", "table, line 1: field text is 3"},
           Wrong{jsonl, "{\"file\": 1, \"text\": \"b\"}", "table, line 1: field file is 1"},
           Wrong{jsonl, "{\"file\": \"\", \"text\": \"b\"}", "table, line 1: the file has no name."},
           Wrong{jsonl, "\n[1]", "table, line 2"},
           Wrong{jsonl, "{\"file\": \"a\", ", "table, line 1"},
       }) {
    const std::string message = scratch::error_of(ErrorKind::bad_input, [&] { read(text, form); });
    EXPECT_NE(message.find(says), std::string::npos) << message << "\nlacks " << says;
  }
  const std::string message = scratch::error_of(ErrorKind::bad_input, [] {
    read("file\tname\na\tb\n", tsv, {"name", "words"});
  });
  EXPECT_NE(message.find("name and words with the caption"), std::string::npos) << message;
}

TEST(CaptionTable, NamesTellTheForm) {
  EXPECT_EQ(find_caption_table_form("a/b.TSV"), tsv);
  EXPECT_EQ(find_caption_table_form("b.c.csv"), csv);
  EXPECT_EQ(find_caption_table_form("metadata.jsonl"), jsonl);
  for (const char* name : {"tsv", "a.txt", "a.json", "own", "", ".csv"})
    EXPECT_FALSE(find_caption_table_form(name)) << name;
  scratch::error_of(ErrorKind::usage, [] { read_caption_table("names.txt", {}); });
  scratch::error_of(ErrorKind::io, [] { read_caption_table("/nowhere/names.tsv", {}); });
}

TEST(CaptionLines, AreACaptionEach) {
  const auto captions = parse_caption_lines("a cat\r\n\n  two cats \nthree", "a.txt");
  ASSERT_EQ(captions.size(), 3u);
  EXPECT_EQ(captions[0].text, "a cat");
  EXPECT_EQ(captions[1].text, "two cats");
  EXPECT_EQ(captions[1].line, 3);
  EXPECT_EQ(captions[2].text, "three");
  for (const char* text : {"", " \n\t\n"})
    EXPECT_NE(
        scratch::error_of(ErrorKind::bad_input, [&] { parse_caption_lines(text, "a.txt"); }).find("a.txt"),
        std::string::npos);
  EXPECT_NE(scratch::error_of(ErrorKind::bad_input, [] { parse_caption_lines("x\ny\xfez", "a.txt"); })
                .find("a.txt, line 2: byte 2"),
            std::string::npos);
}

}  // namespace
}  // namespace diffusion
