#include "cli/options/field_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace diffusion {

namespace {

// Of fields whose option is not called as they are, with dashes for underscores.
constexpr std::array kOptions{
    std::pair<std::string_view, std::string_view>{"learning_rate", "--lr"},
    std::pair<std::string_view, std::string_view>{"run", "--out"},
};

std::string option_of(const std::string& field) {
  for (const auto& [name, option] : kOptions)
    if (name == field) return std::string(option);
  std::string option = "--" + field;
  std::ranges::replace(option, '_', '-');
  return option;
}

}  // namespace

std::string message_with_options(const CLI::App& command, const Error& error) {
  std::vector<std::string> options;
  for (const std::string& field : error.fields())
    if (std::string option = option_of(field); command.get_option_no_throw(option))
      options.push_back(std::move(option));
  if (options.empty()) return error.what();
  return fmt::format("{} ({})", error.what(), fmt::join(options, ", "));
}

}  // namespace diffusion
