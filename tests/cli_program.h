#pragma once

// The program as a person meets it, for tests: the real binary, its exit codes, stdout and stderr.

#include <filesystem>
#include <string>
#include <vector>

#include "io/json.h"

namespace diffusion::cli {

using Arguments = std::vector<std::string>;

// DIFFUSION_BINARY, or "diffusion" beside the test.
std::filesystem::path program();

struct Outcome {
  int code = -1;
  std::string out, err;
  double cpu_seconds = 0;
};

// Runs the program; stdout goes to `stdout_file` if that is given.
Outcome run(const Arguments& arguments, const std::string& stdout_file = "");

// The one line of JSON on stdout of a run that succeeded.
Json json_of(const Outcome& outcome);

// Expects that the program ends with `code`, nothing on stdout, and a message of "diffusion" with all of `words`.
void expect_error(int code, const Arguments& arguments, const std::vector<std::string>& words);

}  // namespace diffusion::cli
