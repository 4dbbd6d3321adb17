#pragma once

// The program as a person meets it, for tests: the real binary, its exit codes, stdout and stderr.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "diffusion/model.h"
#include "formats/json.h"

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

// Expects that the program ends with `code`, nothing on stdout, and a message of "diffusion" with all of
// `words`.
void expect_error(int code, const Arguments& arguments, const std::vector<std::string>& words);

// A network with random weights for 8 x 8 pictures of three classes, "Alpha", "beta" and "gamma ray"; with
// `guidance` it has a null class, too.
struct TinyModel {
  int channels = 1;
  bool guidance = true;
  Preconditioner preconditioner{Objective::v, make_schedule(ScheduleKind::cosine, 100)};
  std::uint64_t seed = 7;
};
Model tiny_model(const TinyModel& options = {});

// Makes the directory, too.
void write_model(const std::filesystem::path& directory, const Model& model);

}  // namespace diffusion::cli
