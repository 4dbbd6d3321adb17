#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "io/json.h"

namespace diffusion {

// Checked access to the fields of a scheduler_config.json, with defaults for those that are absent or named in
// _use_default_values. Error(bad_input) names source and field. Refers to the arguments.
class SchedulerFields {
 public:
  SchedulerFields(const Json& json, std::string_view source);

  std::string where(std::string_view field) const;  // "<source>: field <field>"
  const Json* find(std::string_view field) const;   // nullptr: absent
  bool flag(std::string_view field, bool otherwise) const;
  double number(std::string_view field, double otherwise, double least, double most) const;
  int whole_number(std::string_view field, int otherwise, int least, int most) const;
  std::optional<double> positive_or_null(std::string_view field) const;
  // The place of the field's text among `accepted`.
  std::size_t choice(std::string_view field, std::string_view otherwise,
                     std::span<const std::string_view> accepted) const;

  // For fields that change the numbers and that we do not have: only their harmless value is accepted.
  void only_null(std::string_view field) const;
  void only_flag(std::string_view field, bool accepted) const;
  void only_text(std::string_view field, std::string_view accepted) const;

 private:
  const Json& json_;
  std::string_view source_;
  std::set<std::string, std::less<>> absent_;
};

}  // namespace diffusion
