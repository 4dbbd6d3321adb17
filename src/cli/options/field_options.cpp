#include "cli/options/field_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <type_traits>
#include <variant>

namespace diffusion {

namespace {

// The options that set a field, and that unset it if it is yes or no.
struct OptionNames {
  std::string_view field;
  std::string set, unset = {};
};

// Of fields whose option is not called as they are, with dashes for underscores.
OptionNames names_of(std::string_view field) {
  static const std::array special{
      OptionNames{"learning_rate", "--lr"},
      OptionNames{"flip", "--flip", "--no-flip"},
      OptionNames{"conditional", "", "--unconditional"},
      OptionNames{"run", "--out"},
  };
  for (const OptionNames& names : special)
    if (names.field == field) return names;
  std::string option = fmt::format("--{}", field);
  std::ranges::replace(option, '_', '-');
  return {field, option};
}

CLI::Option* add_flag(CLI::App& command, const OptionNames& names, bool& value, const std::string& help) {
  if (names.set.empty())
    return command.add_flag_callback(
        names.unset, [&value] { value = false; }, help);
  return command.add_flag(names.unset.empty() ? names.set : names.set + ",!" + names.unset, value, help);
}

template <class T>
constexpr bool kIsNumber = std::is_arithmetic_v<T>;
template <class T>
constexpr bool kIsNumber<std::optional<T>> = std::is_arithmetic_v<T>;

}  // namespace

std::string message_with_options(const CLI::App& command, const Error& error) {
  std::vector<std::string> options;
  for (const std::string& field : error.fields()) {
    const OptionNames names = names_of(field);
    const std::string& option = names.set.empty() ? names.unset : names.set;
    if (command.get_option_no_throw(option)) options.push_back(option);
  }
  if (options.empty()) return error.what();
  return fmt::format("{} ({})", error.what(), fmt::join(options, ", "));
}

CLI::Option* FieldOptions::add_option(CLI::App& command, const TrainField& field) {
  const OptionNames names = names_of(field.name);
  const std::string help(field.help);
  return std::visit(
      [&]<class T>(const FieldPlace<T>& place) -> CLI::Option* {
        if constexpr (std::same_as<T, bool>)
          return add_flag(command, names, place.in(values_), help);
        else if constexpr (std::is_enum_v<T>)
          return command.add_option(names.set, enumerations_[field.name], help);
        else if constexpr (kIsNumber<T>)
          return command.add_option(names.set, place.in(values_), help);
        else
          throw Error(ErrorKind::internal, fmt::format("the field {} cannot be an option", field.name));
      },
      field.place);
}

void FieldOptions::add(CLI::App& command, std::string_view group, RunKind kind) {
  for (const TrainField& field : train_fields())
    if (field.group == group && (kind == RunKind::training || field.use == FieldUse::always))
      entries_.push_back({&field, add_option(command, field)->group(std::string(group))});
}

std::vector<FieldOptions::Given> FieldOptions::given() const {
  std::vector<Given> list;
  for (const Entry& entry : entries_)
    if (entry.option->count() > 0) list.push_back({entry.field, entry.option->get_name()});
  return list;
}

bool FieldOptions::given(std::string_view field) const {
  return std::ranges::any_of(given(), [&](const Given& one) { return one.field->name == field; });
}

void FieldOptions::apply(TrainConfig& config) const {
  for (const Given& one : given()) {
    const auto name = enumerations_.find(one.field->name);
    if (name == enumerations_.end())
      copy_field(*one.field, values_, config);
    else
      set_by_name(*one.field, name->second, config);
  }
}

}  // namespace diffusion
