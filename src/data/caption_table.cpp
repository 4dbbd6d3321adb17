#include "data/caption_table.h"

#include <diffusion/error.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "files/mapped_file.h"
#include "formats/delimited.h"
#include "formats/json.h"

namespace diffusion {

namespace {

constexpr std::array<std::string_view, 2> kFileColumns{"file_name", "file"};
constexpr std::array<std::string_view, 3> kCaptionColumns{"text", "caption", "name"};

[[noreturn]] void fail(const std::string& source, std::int64_t line, const std::string& what) {
  throw Error(ErrorKind::bad_input, fmt::format("{}, line {}: {}", source, line, what));
}

std::string_view without_space_around(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

// The text without a byte order mark.
std::string_view checked_text(std::string_view text, const std::string& source) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (std::string_view rest = text; !rest.empty();)
    if (!take_code_point(rest)) {
      const std::string_view before = text.substr(0, text.size() - rest.size());
      const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
      fail(source, std::ranges::count(before, '\n') + 1,
           fmt::format("byte {} of the line, 0x{:02x}, is not UTF-8.", before.size() - line_begin + 1,
                       static_cast<unsigned char>(rest.front())));
    }
  return text;
}

// Calls `use` with each line that is not blank, and its number.
template <class Use>
void for_each_line(std::string_view text, const std::string& source, const Use& use) {
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > kMaxRecordBytes)
      fail(source, number, fmt::format("it has {} bytes; accepted are at most {}.", end, kMaxRecordBytes));
    if (const auto line = without_space_around(text.substr(0, end)); !line.empty()) use(line, number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// Which columns count, by their names.
struct ColumnNames {
  std::string file;
  std::vector<std::string> captions;
};

ColumnNames choose_columns(std::span<const std::string> found, std::span<const std::string> captions,
                           const std::string& source) {
  const auto has = [&](std::string_view name) { return std::ranges::find(found, name) != found.end(); };
  const auto file = std::ranges::find_if(kFileColumns, has);
  ColumnNames names{file == kFileColumns.end() ? "" : std::string(*file), {captions.begin(), captions.end()}};
  if (captions.empty())
    if (const auto caption = std::ranges::find_if(kCaptionColumns, has); caption != kCaptionColumns.end())
      names.captions = {std::string(*caption)};
  const bool complete =
      !names.file.empty() && !names.captions.empty() && std::ranges::all_of(names.captions, has);
  if (!complete)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} has the columns \"{}\"; needed are {} with the file, and {} with the caption",
                            source, fmt::join(found, "\", \""), fmt::join(kFileColumns, " or "),
                            captions.empty() ? fmt::format("{}", fmt::join(kCaptionColumns, ", or "))
                                             : fmt::format("{}", fmt::join(captions, " and "))),
                {"caption_column"});
  for (const std::string& name : names.captions)
    if (std::ranges::count(found, name) > 1)
      throw Error(ErrorKind::bad_input, fmt::format("{} has two columns \"{}\".", source, name));
  return names;
}

TableCaption checked_caption(const std::string& file, std::string_view text, std::string_view column,
                             const std::string& source, std::int64_t line) {
  if (file.empty()) fail(source, line, "the file has no name.");
  const std::string_view caption = without_space_around(text);
  if (caption.empty()) fail(source, line, fmt::format("the caption (\"{}\") of {} is empty.", column, file));
  return {file, std::string(caption), line};
}

// Of a row: two columns may say the same.
void add_unless_there(std::vector<TableCaption>& row, TableCaption caption) {
  if (std::ranges::find(row, caption.text, &TableCaption::text) == row.end())
    row.push_back(std::move(caption));
}

std::vector<TableCaption> parse_delimited(std::string_view text, Delimited form,
                                          std::span<const std::string> columns, const std::string& source) {
  DelimitedReader reader(text, form, source);
  if (!reader.next())
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is empty; its first line should name columns.", source));
  const std::vector<std::string> header = reader.fields();
  const ColumnNames names = choose_columns(header, columns, source);
  const auto place_of = [&](const std::string& name) {
    return std::size_t(std::ranges::find(header, name) - header.begin());
  };
  const std::size_t file = place_of(names.file);
  std::vector<std::size_t> places;
  for (const std::string& name : names.captions) places.push_back(place_of(name));
  std::vector<TableCaption> captions;
  while (reader.next()) {
    std::vector<TableCaption> row;
    for (const std::size_t place : places)
      add_unless_there(row, checked_caption(reader.fields()[file], reader.fields()[place], header[place],
                                            source, reader.line()));
    std::ranges::move(row, std::back_inserter(captions));
  }
  return captions;
}

std::vector<TableCaption> parse_json_lines(std::string_view text, std::span<const std::string> columns,
                                           const std::string& source) {
  std::vector<TableCaption> captions;
  std::optional<ColumnNames> names;
  for_each_line(text, source, [&](std::string_view line, std::int64_t number) {
    const std::string where = fmt::format("{}, line {}", source, number);
    const Json json = parse_json(line, where);
    if (!names) {  // the first line decides
      std::vector<std::string> found;
      for (const auto& [name, value] : to_object(json, where)) found.push_back(name);
      names = choose_columns(found, columns, where);
    }
    const std::string file = to_string(member(json, names->file, where), where + ": field " + names->file);
    std::vector<TableCaption> row;
    for (const std::string& name : names->captions)
      for (const std::string& caption :
           captions_in(member(json, name, where), fmt::format("{}: field {}", where, name)))
        add_unless_there(row, checked_caption(file, caption, name, source, number));
    std::ranges::move(row, std::back_inserter(captions));
  });
  return captions;
}

}  // namespace

std::optional<CaptionTableForm> find_caption_table_form(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  if (ending == ".tsv") return CaptionTableForm::tsv;
  if (ending == ".csv") return CaptionTableForm::csv;
  if (ending == ".jsonl") return CaptionTableForm::jsonl;
  return std::nullopt;
}

std::vector<TableCaption> parse_caption_table(std::string_view text, CaptionTableForm form,
                                              std::span<const std::string> columns,
                                              const std::string& source_name) {
  text = checked_text(text, source_name);
  if (form == CaptionTableForm::jsonl) return parse_json_lines(text, columns, source_name);
  return parse_delimited(text, form == CaptionTableForm::csv ? Delimited::csv : Delimited::tsv, columns,
                         source_name);
}

std::vector<TableCaption> read_caption_table(const std::filesystem::path& path,
                                             std::span<const std::string> columns) {
  const auto form = find_caption_table_form(path);
  if (!form)
    throw Error(
        ErrorKind::usage,
        fmt::format("\"{}\" is no table of captions by its name; accepted are names that end in .tsv, "
                    ".csv or .jsonl",
                    path.string()),
        {"captions"});
  const MappedFile file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  return parse_caption_table(text, *form, columns, path.string());
}

std::vector<TableCaption> parse_caption_lines(std::string_view text, const std::string& source_name) {
  std::vector<TableCaption> captions;
  for_each_line(checked_text(text, source_name), source_name,
                [&](std::string_view line, std::int64_t number) {
                  captions.push_back({"", std::string(line), number});
                });
  if (captions.empty())
    throw Error(ErrorKind::bad_input, fmt::format("{} holds no caption, only white space.", source_name));
  return captions;
}

std::vector<std::string> captions_in(const Json& field, const std::string& where) {
  std::vector<std::string> texts;
  if (const auto* list = std::get_if<Json::Array>(&field.value()))
    for (const Json& text : *list) texts.push_back(to_string(text, where));
  else if (const auto* text = std::get_if<std::string>(&field.value()))
    texts.push_back(*text);
  for (std::string& text : texts) text = without_space_around(text);
  if (texts.empty() || std::ranges::any_of(texts, &std::string::empty))
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is {}; accepted is a caption, or a list of captions, that are not empty.",
                            where, dump_json(field).substr(0, 80)));
  return texts;
}

}  // namespace diffusion
