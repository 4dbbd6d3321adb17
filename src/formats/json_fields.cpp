#include "formats/json_fields.h"

#include <fmt/format.h>

#include <array>
#include <limits>

#include <diffusion/error.h>

namespace diffusion {

JsonFields::JsonFields(const Json& json, std::string_view source)
    : object_(to_object(json, source)), source_(source) {
  if (const Json* names = json.find("_use_default_values"))
    for (const Json& name : to_array(*names, where("_use_default_values")))
      absent_.insert(to_string(name, where("_use_default_values")));
}

std::string JsonFields::where(std::string_view field) const {
  return fmt::format("{}: field {}", source_, field);
}

const Json* JsonFields::find(std::string_view field) const {
  asked_for_.emplace(field);
  if (absent_.contains(field)) return nullptr;
  const auto at = object_.find(field);
  return at == object_.end() ? nullptr : &at->second;
}

const Json& JsonFields::need(std::string_view field) const {
  if (const Json* value = find(field)) return *value;
  throw Error(ErrorKind::bad_input, fmt::format("{} is missing.", where(field)));
}

bool JsonFields::flag(std::string_view field, bool otherwise) const {
  const Json* value = find(field);
  return value ? to_bool(*value, where(field)) : otherwise;
}

double JsonFields::number(std::string_view field, double otherwise, double least, double most) const {
  const Json* value = find(field);
  const double found = value ? to_double(*value, where(field)) : otherwise;
  if (!(found >= least && found <= most))
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is {}; accepted are {} to {}.", where(field), found, least, most));
  return found;
}

int JsonFields::checked_whole(const Json& value, std::string_view field, int least, int most) const {
  const std::int64_t found = to_int(value, where(field));
  if (found < least || found > most)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is {}; accepted are {} to {}.", where(field), found, least, most));
  return int(found);
}

int JsonFields::whole_number(std::string_view field, int otherwise, int least, int most) const {
  const Json* value = find(field);
  return checked_whole(value ? *value : Json(otherwise), field, least, most);
}

std::optional<int> JsonFields::whole_number_or_null(std::string_view field, std::optional<int> otherwise,
                                                    int least, int most) const {
  const Json* value = find(field);
  if (!value) return otherwise;
  if (value->is_null()) return std::nullopt;
  return checked_whole(*value, field, least, most);
}

std::optional<double> JsonFields::positive_or_null(std::string_view field) const {
  const Json* value = find(field);
  if (!value || value->is_null()) return std::nullopt;
  return number(field, 1, std::numeric_limits<double>::min(), std::numeric_limits<double>::max());
}

std::vector<int> JsonFields::whole_numbers(std::string_view field, std::vector<int> otherwise, int least,
                                           int most) const {
  const Json* value = find(field);
  if (!value) return otherwise;
  std::vector<int> found;
  for (const Json& number : to_array(*value, where(field)))
    found.push_back(checked_whole(number, field, least, most));
  return found;
}

std::string JsonFields::text(std::string_view field, std::string_view otherwise) const {
  const Json* value = find(field);
  return value ? to_string(*value, where(field)) : std::string(otherwise);
}

std::size_t JsonFields::choice(std::string_view field, std::string_view otherwise,
                               std::span<const std::string_view> accepted) const {
  const std::string found = text(field, otherwise);
  for (std::size_t i = 0; i < accepted.size(); ++i)
    if (accepted[i] == found) return i;
  throw Error(ErrorKind::bad_input,
              fmt::format("{} is \"{}\"; accepted are: {}.", where(field), found, fmt::join(accepted, ", ")));
}

void JsonFields::only_null(std::string_view field) const {
  const Json* value = find(field);
  if (value && !value->is_null())
    throw Error(ErrorKind::bad_input, fmt::format("{} is not supported; accepted is null.", where(field)));
}

void JsonFields::only_flag(std::string_view field, bool accepted) const {
  if (flag(field, accepted) != accepted)
    throw Error(ErrorKind::bad_input, fmt::format("{} is {}, which is not supported; accepted is {}.",
                                                  where(field), !accepted, accepted));
}

void JsonFields::only_text(std::string_view field, std::string_view accepted) const {
  const std::array<std::string_view, 1> one{accepted};
  choice(field, accepted, one);
}

std::vector<std::string> JsonFields::unknown() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : object_)
    if (!name.starts_with('_') && !asked_for_.contains(name)) names.push_back(name);
  return names;
}

}  // namespace diffusion
