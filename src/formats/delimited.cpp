#include "formats/delimited.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace diffusion {

DelimitedReader::DelimitedReader(std::string_view text, Delimited form, std::string source_name)
    : rest_(text),
      text_(text.data()),
      separator_(form == Delimited::csv ? ',' : '\t'),
      quotes_(form == Delimited::csv),
      source_(std::move(source_name)) {}

void DelimitedReader::fail(const std::string& what) const {
  throw Error(ErrorKind::bad_input, fmt::format("{}, line {}: {}", source_, line_, what));
}

void DelimitedReader::fail_too_long() const {
  fail(fmt::format("the record has more than the {} bytes accepted{}", kMaxRecordBytes,
                   quotes_ ? "; perhaps a quote is not closed." : "."));
}

std::string_view DelimitedReader::window() const {
  const std::size_t used = record_.size() - rest_.size();
  return rest_.substr(0, kMaxRecordBytes - std::min(used, kMaxRecordBytes));
}

bool DelimitedReader::at_line_end() const {
  return rest_.empty() || rest_.starts_with('\n') || rest_.starts_with("\r\n");
}

bool DelimitedReader::take_empty_line() {
  if (rest_.empty() || !at_line_end()) return false;
  rest_.remove_prefix(rest_.front() == '\r' ? 2 : 1);
  ++next_line_;
  return true;
}

std::string DelimitedReader::take_quoted() {
  std::string field;
  const std::int64_t first_line = next_line_;
  rest_.remove_prefix(1);
  while (true) {
    const std::string_view here = window();
    const std::size_t quote = here.find('"');
    if (quote == std::string_view::npos) {
      if (here.size() < rest_.size()) fail_too_long();
      fail(fmt::format("the quoted field {} that begins in line {} is not closed.", fields_.size() + 1,
                       first_line));
    }
    field += here.substr(0, quote);
    rest_.remove_prefix(quote + 1);
    if (!rest_.starts_with('"')) break;
    field += '"';
    rest_.remove_prefix(1);
  }
  next_line_ += std::ranges::count(field, '\n');
  if (!rest_.starts_with(separator_) && !at_line_end())
    fail(
        fmt::format("something follows the closing quote of field {}; accepted are a comma and the end of "
                    "the line, and a quote inside of a quoted field is written twice.",
                    fields_.size() + 1));
  return field;
}

std::string DelimitedReader::take_plain() {
  const std::string_view here = window();
  const std::size_t end = std::min(here.find_first_of(std::string{separator_, '\n'}), here.size());
  if (end == here.size() && here.size() < rest_.size()) fail_too_long();
  std::string field(here.substr(0, end));
  if (quotes_ && field.find('"') != std::string::npos)
    fail(
        fmt::format("field {} holds a quote but does not begin with one; accepted are fields in quotes, in "
                    "which a quote is written twice.",
                    fields_.size() + 1));
  rest_.remove_prefix(end);
  if (!rest_.starts_with(separator_) && field.ends_with('\r')) field.pop_back();
  return field;
}

bool DelimitedReader::next() {
  while (take_empty_line()) continue;
  fields_.clear();
  ranges_.clear();
  if (rest_.empty()) return false;
  line_ = next_line_;
  record_ = rest_;
  while (true) {
    const char* const begin = rest_.data();
    const bool quoted = quotes_ && rest_.starts_with('"');
    fields_.push_back(quoted ? take_quoted() : take_plain());
    // A plain field may be followed by the CR of a line end, which was taken with it.
    ranges_.push_back(
        {std::size_t(begin - text_), quoted ? std::size_t(rest_.data() - begin) : fields_.back().size()});
    if (!rest_.starts_with(separator_)) break;
    rest_.remove_prefix(1);
  }
  take_empty_line();  // its own end
  if (columns_ == 0) columns_ = fields_.size();
  if (fields_.size() != columns_)
    fail(fmt::format("there are {} fields, but the first line has {}.", fields_.size(), columns_));
  return true;
}

}  // namespace diffusion
