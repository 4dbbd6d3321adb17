#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace diffusion {

// Tables as text, a record of fields in each line:
//   csv  fields between commas, as RFC 4180 has them: one that begins with a quote ends with the next one
//        that is not doubled, and may hold commas, line ends and doubled quotes; other fields hold no quotes
//   tsv  fields between tabs; nothing is quoted
enum class Delimited { csv, tsv };

// Where a field stands in the text: its bytes, with the quotes around them.
struct FieldRange {
  std::size_t offset, length;
};

inline constexpr std::size_t kMaxRecordBytes = std::size_t(1) << 20;

// Reads the records one after the other. Lines end in LF or CR LF, the last one perhaps in nothing; empty
// lines are passed over. The text must outlive the reader; its encoding does not matter.
class DelimitedReader {
 public:
  DelimitedReader(std::string_view text, Delimited form, std::string source_name);

  // Goes to the next record. False at the end. Error(bad_input) that names source and line for wrong quotes,
  // for more or fewer fields than the first record has, and for more than kMaxRecordBytes.
  bool next();

  // Of the current record.
  const std::vector<std::string>& fields() const { return fields_; }
  const std::vector<FieldRange>& ranges() const { return ranges_; }
  std::int64_t line() const { return line_; }  // its first, from 1

 private:
  bool take_empty_line();
  bool at_line_end() const;
  // Both remove a field from rest_, up to what ends it.
  std::string take_quoted();
  std::string take_plain();
  std::string_view window() const;  // what may still belong to the record
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void fail_too_long() const;

  std::string_view rest_, record_;  // record_: where the current one begins, and all that follows
  const char* text_;                // where all of it begins
  char separator_;
  bool quotes_;
  std::string source_;
  std::vector<std::string> fields_;
  std::vector<FieldRange> ranges_;
  std::size_t columns_ = 0;
  std::int64_t line_ = 0, next_line_ = 1;
};

}  // namespace diffusion
