#include "formats/json.h"

#include <fmt/format.h>

namespace diffusion {

namespace {

// The value as an error message shows it: scalars verbatim, long strings cut, containers by name.
std::string describe(const Json& json) {
  constexpr std::size_t kLongestText = 60;
  if (std::holds_alternative<Json::Array>(json.value())) return "an array";
  if (std::holds_alternative<Json::Object>(json.value())) return "an object";
  const std::string text = dump_json(json);
  return text.size() <= kLongestText ? text : text.substr(0, kLongestText) + "...\"";
}

template <class T>
const T& get(const Json& json, std::string_view where, std::string_view expected) {
  if (const T* value = std::get_if<T>(&json.value())) return *value;
  throw Error(ErrorKind::bad_input, fmt::format("{} is {}, expected {}.", where, describe(json), expected));
}

}  // namespace

void Json::refuse_integer(std::uint64_t value) {
  throw Error(ErrorKind::usage,
              fmt::format("The number {} does not fit a JSON integer, the largest is {}.", value, INT64_MAX));
}

const Json* Json::find(std::string_view key) const {
  const Object* object = std::get_if<Object>(&value_);
  if (object == nullptr) return nullptr;
  const auto found = object->find(key);
  return found == object->end() ? nullptr : &found->second;
}

bool to_bool(const Json& json, std::string_view where) {
  return get<bool>(json, where, "true or false");
}

std::int64_t to_int(const Json& json, std::string_view where) {
  return get<std::int64_t>(json, where, "an integer");
}

double to_double(const Json& json, std::string_view where) {
  if (const auto* integer = std::get_if<std::int64_t>(&json.value())) return double(*integer);
  return get<double>(json, where, "a number");
}

const std::string& to_string(const Json& json, std::string_view where) {
  return get<std::string>(json, where, "a string");
}

const Json::Array& to_array(const Json& json, std::string_view where) {
  return get<Json::Array>(json, where, "an array");
}

const Json::Object& to_object(const Json& json, std::string_view where) {
  return get<Json::Object>(json, where, "an object");
}

const Json& member(const Json& object, std::string_view key, std::string_view source_name) {
  to_object(object, fmt::format("{}: the JSON value", source_name));
  if (const Json* found = object.find(key)) return *found;
  throw Error(ErrorKind::bad_input, fmt::format("{}: field {} is missing.", source_name, key));
}

}  // namespace diffusion
