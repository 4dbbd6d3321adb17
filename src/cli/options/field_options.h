#pragma once

// Options that set fields of a training configuration (train/config_fields.h), and errors about fields in the
// words of the command line.

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <diffusion/error.h>
#include "train/config_fields.h"

namespace diffusion {

// The message of an error for a person at the command line, with the options of `command` that set the fields
// that it is about: "learning_rate is -1; accepted is a positive number (--lr)".
std::string message_with_options(const CLI::App& command, const Error& error);

enum class RunKind { training, tuning };

// The fields that options of a command set. Must live as long as the command.
class FieldOptions {
 public:
  FieldOptions() = default;
  FieldOptions(const FieldOptions&) = delete;
  FieldOptions& operator=(const FieldOptions&) = delete;

  // Adds an option for every field of the group that a person sets in runs of this kind.
  void add(CLI::App& command, std::string_view group, RunKind kind);

  // Those that were given; `option` is the name that a person knows it by.
  struct Given {
    const TrainField* field;
    std::string option;
  };
  std::vector<Given> given() const;
  bool given(std::string_view field) const;

  // Puts those that were given into the configuration. Error(usage) for a name that an enumeration does not
  // have.
  void apply(TrainConfig& config) const;

 private:
  struct Entry {
    const TrainField* field;
    const CLI::Option* option;
  };
  CLI::Option* add_option(CLI::App& command, const TrainField& field);

  std::vector<Entry> entries_;
  TrainConfig values_;                                    // of all but enumerations
  std::map<std::string_view, std::string> enumerations_;  // names of values, by field
};

}  // namespace diffusion
