#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "formats/json.h"

namespace diffusion {

namespace {

// repr(float): the shortest digits that read back as the same double, with an exponent if the first digit is
// at 10^16 or above, or below 10^-4.
std::string python_repr(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";

  // Longest: sign, 17 digits, point, and an exponent of five characters.
  char buffer[32];
  const auto scientific = std::to_chars(buffer, std::end(buffer), value, std::chars_format::scientific);
  std::string text(buffer, scientific.ptr);
  const int exponent = std::stoi(text.substr(text.find('e') + 1));
  if (exponent < -4 || exponent >= 16) return text;

  // Shortest fixed notation: at most 16 digits before the point, or four zeros and 17 digits behind it.
  const auto fixed = std::to_chars(buffer, std::end(buffer), value, std::chars_format::fixed);
  text.assign(buffer, fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto code_point = take_code_point(text);
    if (!code_point) throw Error(ErrorKind::usage, "Text that is not valid UTF-8 cannot be written as JSON.");
    switch (*code_point) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        if (*code_point >= 0x20 && *code_point < 0x7f) {
          out += char(*code_point);
        } else if (*code_point < 0x10000) {
          out += fmt::format("\\u{:04x}", std::uint32_t(*code_point));
        } else {
          const std::uint32_t bits = std::uint32_t(*code_point) - 0x10000;
          out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (bits >> 10), 0xdc00 + (bits & 0x3ff));
        }
    }
  }
  out += '"';
}

struct Dumper {
  std::string& out;
  int indent;
  int level = 0;

  void operator()(std::nullptr_t) { out += "null"; }
  void operator()(bool value) { out += value ? "true" : "false"; }
  void operator()(std::int64_t value) { out += std::to_string(value); }
  void operator()(double value) { out += python_repr(value); }
  void operator()(const std::string& value) { append_string(out, value); }

  void operator()(const Json::Array& array) {
    container('[', ']', array, [this](const Json& item) { std::visit(*this, item.value()); });
  }

  void operator()(const Json::Object& object) {
    container('{', '}', object, [this](const auto& item) {
      append_string(out, item.first);
      out += ": ";
      std::visit(*this, item.second.value());
    });
  }

  template <class Items, class Write>
  void container(char begin, char end, const Items& items, Write write) {
    out += begin;
    ++level;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out += indent > 0 ? "," : ", ";
      first = false;
      new_line();
      write(item);
    }
    --level;
    if (!items.empty()) new_line();
    out += end;
  }

  void new_line() {
    if (indent <= 0) return;
    out += '\n';
    out.append(std::size_t(indent) * std::size_t(level), ' ');
  }
};

}  // namespace

std::string dump_json(const Json& json, int indent) {
  std::string out;
  std::visit(Dumper{out, indent}, json.value());
  return out;
}

}  // namespace diffusion
