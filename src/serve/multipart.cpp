#include "serve/multipart.h"

#include <algorithm>
#include <cctype>

#include "serve/api.h"

namespace diffusion::serve {

namespace {

constexpr std::size_t kMostParts = 100;

[[noreturn]] void refuse(const std::string& what) {
  throw ApiError(400, "the multipart body " + what + "; accepted is multipart/form-data as RFC 7578 has it");
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return result;
}

// The value of `key` in 'form-data; name="a"; filename="b"': what stands in quotes, or up to a semicolon.
std::string parameter(std::string_view header, std::string_view key) {
  const std::string small = lower(header), wanted = std::string(key) + "=";
  for (std::size_t at = small.find(wanted); at != std::string::npos; at = small.find(wanted, at + 1)) {
    if (at > 0 && small[at - 1] != ' ' && small[at - 1] != ';') continue;
    std::string_view value = header.substr(at + wanted.size());
    if (!value.starts_with('"')) return std::string(value.substr(0, value.find(';')));
    value.remove_prefix(1);
    if (value.find('"') == std::string_view::npos) return "";
    return std::string(value.substr(0, value.find('"')));
  }
  return "";
}

FormPart parse_part(std::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) refuse("has a part without headers");
  FormPart part{{}, {}, text.substr(end + 4)};
  std::string_view headers = text.substr(0, end + 2);
  while (!headers.empty()) {
    const std::string_view line = headers.substr(0, headers.find("\r\n"));
    headers.remove_prefix(line.size() + 2);
    if (!lower(line).starts_with("content-disposition:")) continue;
    part.name = parameter(line, "name");
    part.file_name = parameter(line, "filename");
  }
  if (part.name.empty()) refuse("has a part without a name");
  return part;
}

}  // namespace

std::vector<FormPart> parse_multipart(std::string_view content_type, std::string_view body) {
  const std::string boundary = parameter(content_type, "boundary");
  if (boundary.empty() || boundary.size() > 70) refuse("has no boundary of 1 to 70 characters");
  const std::string first = "--" + boundary, next = "\r\n--" + boundary;
  if (!body.starts_with(first)) refuse("does not begin with its boundary");
  body.remove_prefix(first.size());
  std::vector<FormPart> parts;
  while (!body.starts_with("--")) {
    if (!body.starts_with("\r\n")) refuse("has a boundary that does not end its line");
    body.remove_prefix(2);
    const std::size_t end = body.find(next);
    if (end == std::string_view::npos) refuse("is not whole");
    if (parts.size() == kMostParts) refuse("has more than 100 parts");
    parts.push_back(parse_part(body.substr(0, end)));
    body.remove_prefix(end + next.size());
  }
  return parts;
}

}  // namespace diffusion::serve
