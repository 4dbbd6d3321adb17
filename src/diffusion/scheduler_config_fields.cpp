#include "diffusion/scheduler_config_fields.h"

#include <fmt/format.h>

#include <array>
#include <limits>

#include "base/error.h"

namespace diffusion {

SchedulerFields::SchedulerFields(const Json& json, std::string_view source) : json_(json), source_(source) {
  if (const Json* names = json.find("_use_default_values"))
    for (const Json& name : to_array(*names, where("_use_default_values")))
      absent_.insert(to_string(name, where("_use_default_values")));
}

std::string SchedulerFields::where(std::string_view field) const {
  return fmt::format("{}: field {}", source_, field);
}

const Json* SchedulerFields::find(std::string_view field) const {
  return absent_.contains(field) ? nullptr : json_.find(field);
}

bool SchedulerFields::flag(std::string_view field, bool otherwise) const {
  const Json* value = find(field);
  return value ? to_bool(*value, where(field)) : otherwise;
}

double SchedulerFields::number(std::string_view field, double otherwise, double least, double most) const {
  const Json* value = find(field);
  const double found = value ? to_double(*value, where(field)) : otherwise;
  if (!(found >= least && found <= most))
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is {}; accepted are {} to {}.", where(field), found, least, most));
  return found;
}

int SchedulerFields::whole_number(std::string_view field, int otherwise, int least, int most) const {
  const Json* value = find(field);
  const std::int64_t found = value ? to_int(*value, where(field)) : otherwise;
  if (found < least || found > most)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is {}; accepted are {} to {}.", where(field), found, least, most));
  return int(found);
}

std::optional<double> SchedulerFields::positive_or_null(std::string_view field) const {
  const Json* value = find(field);
  if (!value || value->is_null()) return std::nullopt;
  return number(field, 1, std::numeric_limits<double>::min(), std::numeric_limits<double>::max());
}

std::size_t SchedulerFields::choice(std::string_view field, std::string_view otherwise,
                                    std::span<const std::string_view> accepted) const {
  const Json* value = find(field);
  const std::string found = value ? to_string(*value, where(field)) : std::string(otherwise);
  for (std::size_t i = 0; i < accepted.size(); ++i)
    if (accepted[i] == found) return i;
  throw Error(ErrorKind::bad_input,
              fmt::format("{} is \"{}\"; accepted are: {}.", where(field), found, fmt::join(accepted, ", ")));
}

void SchedulerFields::only_null(std::string_view field) const {
  const Json* value = find(field);
  if (value && !value->is_null())
    throw Error(ErrorKind::bad_input, fmt::format("{} is not supported; accepted is null.", where(field)));
}

void SchedulerFields::only_flag(std::string_view field, bool accepted) const {
  if (flag(field, accepted) != accepted)
    throw Error(ErrorKind::bad_input, fmt::format("{} is {}, which is not supported; accepted is {}.",
                                                  where(field), !accepted, accepted));
}

void SchedulerFields::only_text(std::string_view field, std::string_view accepted) const {
  const std::array<std::string_view, 1> one{accepted};
  choice(field, accepted, one);
}

}  // namespace diffusion
