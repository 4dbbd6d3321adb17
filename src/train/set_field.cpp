#include "train/set_field.h"

#include <fmt/format.h>

#include <concepts>
#include <type_traits>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "base/names.h"

namespace diffusion {

namespace {

// Each of these puts the value where it belongs, and says what is accepted there if it cannot. Null: done.
using Refusal = const char*;

Refusal put(bool& place, const TrainValue& value) {
  const bool* given = std::get_if<bool>(&value);
  if (given) place = *given;
  return given ? nullptr : "true or false";
}

Refusal put(std::string& place, const TrainValue& value) {
  const auto* given = std::get_if<std::string>(&value);
  if (given) place = *given;
  return given ? nullptr : "a text";
}

Refusal put(double& place, const TrainValue& value) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  const auto* given = std::get_if<double>(&value);
  if (whole) place = double(*whole);
  if (given) place = *given;
  return whole || given ? nullptr : "a number";
}

template <std::integral T>
Refusal put(T& place, const TrainValue& value) {
  const auto* given = std::get_if<std::int64_t>(&value);
  if (!given || !std::in_range<T>(*given)) return "a whole number";
  place = T(*given);
  return nullptr;
}

template <class T>
Refusal put(std::optional<T>& place, const TrainValue& value) {
  if constexpr (!std::is_arithmetic_v<T> && !std::is_same_v<T, std::string>) {
    return "what data and preset say";
  } else {
    T given{};
    const Refusal refusal = put(given, value);
    if (!refusal) place = given;
    return refusal;
  }
}

template <class T>
Refusal put(T&, const TrainValue&) {
  return std::is_enum_v<T> ? "a name" : "what data and preset say";
}

std::string text_of(const TrainValue& value) {
  return std::visit(
      []<class T>(const T& v) {
        return std::is_same_v<T, std::string> ? fmt::format("\"{}\"", v) : fmt::format("{}", v);
      },
      value);
}

}  // namespace

const TrainField& find_field(std::string_view name) {
  std::vector<std::string_view> names;
  for (const TrainField& field : train_fields()) names.push_back(field.name);
  return train_fields()[index_of_name("field", name, names)];
}

void set_field(const TrainField& field, const TrainValue& value, TrainConfig& config) {
  const auto* name = std::get_if<std::string>(&value);
  if (name && std::holds_alternative<FieldNames>(field.accepted)) return set_by_name(field, *name, config);
  const Refusal refusal =
      std::visit([&](const auto& place) { return put(place.in(config), value); }, field.place);
  if (refusal)
    throw Error(ErrorKind::usage,
                fmt::format("{} is {}; accepted is {}", field.name, text_of(value), refusal),
                {std::string(field.name)});
}

}  // namespace diffusion
