#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/error.h"

namespace diffusion {

// The message of an error for a person at the command line, with the options of `command` that set the fields
// that it is about: "learning_rate is -1; accepted is a positive number (--lr)".
std::string message_with_options(const CLI::App& command, const Error& error);

}  // namespace diffusion
