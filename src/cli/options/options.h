#pragma once

// What commands have in common: checks of option values, and output of results.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <diffusion/device.h>
#include "formats/json.h"

namespace diffusion {

// Checks of an option's value, with a message that tells what is accepted.
CLI::Validator in_range(std::int64_t least, std::int64_t most);
inline CLI::Validator at_least(std::int64_t least) {
  return in_range(least, std::numeric_limits<std::int64_t>::max());
}

// Adds --threads and --precision.
struct MachineOptions {
  int threads = 0;
  std::string precision = "auto";
};
void add_machine_options(CLI::App& app, MachineOptions& options);
// Sets the number of threads and makes the device.
std::shared_ptr<const Device> make_device(const MachineOptions& options);

// Adds --json, and --quiet.
void add_json_flag(CLI::App& app, bool& json);
void add_quiet_flag(CLI::App& app, bool& quiet);

// Writes a line of results to stdout. main.cpp reports what could not be written.
void print_line(std::string_view line);
void print_json(const Json& json);

// A path for a JSON document. Error(usage) if it is not UTF-8, so call it before the work.
Json path_to_json(const std::string& path);

}  // namespace diffusion
