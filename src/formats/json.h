#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <diffusion/error.h>

namespace diffusion {

// A JSON value. Integers and floating-point numbers are different types, as in Python: 1 is an int64, 1.0 a
// double. Objects are sorted by key, in the order of Unicode code points.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;
  using Value = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object>;

  Json() = default;
  Json(std::nullptr_t) {}
  Json(std::same_as<bool> auto value) : value_(value) {}
  // Throws Error(usage) for an integer above 2^63 - 1.
  template <std::integral T>
  requires(!std::same_as<T, bool>) Json(T value) : value_(checked_int64(value)) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}

  const Value& value() const { return value_; }
  Value& value() { return value_; }
  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }

  // The member of that name; nullptr if it is absent (a member that is null is not absent) or *this is no
  // object.
  const Json* find(std::string_view key) const;

  bool operator==(const Json&) const = default;

 private:
  template <class T>
  static std::int64_t checked_int64(T value) {
    if (!std::in_range<std::int64_t>(value)) refuse_integer(value);
    return std::int64_t(value);
  }
  [[noreturn]] static void refuse_integer(std::uint64_t value);

  Value value_ = nullptr;
};

inline constexpr std::size_t kMaxJsonDepth = 64;
inline constexpr std::size_t kMaxJsonValues = 4'000'000;

// Reads one JSON text (RFC 8259) with Python's additions NaN, Infinity and -Infinity. An integer that does
// not fit int64 becomes a double. Error(bad_input) with source, byte offset and reason for anything else:
// duplicate keys, more than kMaxJsonDepth nested containers, more than kMaxJsonValues values, anything after
// the value, invalid UTF-8.
Json parse_json(std::string_view text, std::string_view source_name);

// The text that Python's json.dumps(value, indent=indent, sort_keys=True) gives, byte for byte; indent 0 is
// Python's indent=None, one line such as {"a": 1, "b": [1.0, 1e-05]}. No newline at the end. A string that is
// not UTF-8 is Error(usage).
std::string dump_json(const Json& json, int indent = 0);

// Checked access. `where` says what the value is, for example "unet/config.json: field norm_eps"; a value of
// another type is Error(bad_input) "unet/config.json: field norm_eps is null, expected a number."
bool to_bool(const Json& json, std::string_view where);
std::int64_t to_int(const Json& json, std::string_view where);  // 1.0 is not an integer
double to_double(const Json& json, std::string_view where);     // an integer is a number, too
const std::string& to_string(const Json& json, std::string_view where);
const Json::Array& to_array(const Json& json, std::string_view where);
const Json::Object& to_object(const Json& json, std::string_view where);

// The member `key` of an object that must have it: Error(bad_input) "<source>: field <key> is missing."
// otherwise.
const Json& member(const Json& object, std::string_view key, std::string_view source_name);

}  // namespace diffusion
