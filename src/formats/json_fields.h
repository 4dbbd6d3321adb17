#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace diffusion {

// Checked access to the fields of one JSON object, with defaults for those that are absent. As in diffusers,
// a field named in the array _use_default_values counts as absent, whatever its value. Error(bad_input) names
// source and field, what was found and what is accepted. Refers to the arguments.
class JsonFields {
 public:
  JsonFields(const Json& json, std::string_view source);

  std::string where(std::string_view field) const;  // "<source>: field <field>"
  const Json* find(std::string_view field) const;   // nullptr: absent; null is not absent
  const Json& need(std::string_view field) const;   // absent is an error

  bool flag(std::string_view field, bool otherwise) const;
  double number(std::string_view field, double otherwise, double least, double most) const;
  int whole_number(std::string_view field, int otherwise, int least, int most) const;
  // null is a value of its own: none.
  std::optional<int> whole_number_or_null(std::string_view field, std::optional<int> otherwise, int least,
                                          int most) const;
  std::optional<double> positive_or_null(std::string_view field) const;
  std::vector<int> whole_numbers(std::string_view field, std::vector<int> otherwise, int least,
                                 int most) const;
  std::string text(std::string_view field, std::string_view otherwise) const;
  // The place of the field's text among `accepted`.
  std::size_t choice(std::string_view field, std::string_view otherwise,
                     std::span<const std::string_view> accepted) const;

  // For fields that change the numbers and that we do not have: only their harmless value is accepted.
  void only_null(std::string_view field) const;
  void only_flag(std::string_view field, bool accepted) const;
  void only_text(std::string_view field, std::string_view accepted) const;

  // The fields that nobody has asked for so far, without those that begin with '_'.
  std::vector<std::string> unknown() const;

 private:
  int checked_whole(const Json& value, std::string_view field, int least, int most) const;

  const Json::Object& object_;
  std::string_view source_;
  std::set<std::string, std::less<>> absent_;
  mutable std::set<std::string, std::less<>> asked_for_;
};

}  // namespace diffusion
