#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diffusion {

class Json;

// Tables that say which file has which caption:
//   .tsv, .csv  the first line names the columns (formats/delimited.h)
//   .jsonl      an object in each line; a caption is a text or a list of texts
// The column of the files is "file_name" or "file". That of the captions is "text", "caption" or "name", the
// first of these that there is, unless others are named: then each gives a caption. What one row or object
// says twice counts once.
enum class CaptionTableForm { tsv, csv, jsonl };

// By how the name ends, in any case; nothing for other names.
std::optional<CaptionTableForm> find_caption_table_form(const std::filesystem::path& path);

struct TableCaption {
  std::string file;   // as the table has it
  std::string text;   // not empty, without white space around it
  std::int64_t line;  // from 1
};

// All captions of a table, in its order. `columns`: of the captions; empty: the usual one. Error(bad_input)
// that names source and line for text that is not UTF-8 (with the byte in the line), missing columns, empty
// file names and captions, lines longer than kMaxRecordBytes, and what the form does not allow.
std::vector<TableCaption> parse_caption_table(std::string_view text, CaptionTableForm form,
                                              std::span<const std::string> columns,
                                              const std::string& source_name);
// The same of a file; Error(usage) if its name has another ending, Error(io) if it cannot be read.
std::vector<TableCaption> read_caption_table(const std::filesystem::path& path,
                                             std::span<const std::string> columns);

// A text file of captions, one in each line that is not blank. `file` stays empty. Errors as above.
std::vector<TableCaption> parse_caption_lines(std::string_view text, const std::string& source_name);

// A field of JSON that is a caption, or a list of captions; `where` as to_string() of formats/json.h has it.
// Errors as above.
std::vector<std::string> captions_in(const Json& field, const std::string& where);

}  // namespace diffusion
