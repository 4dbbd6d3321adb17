#pragma once

// The pictures that `edit`, `restore` and their kin end with: as one picture or grid, an array, or files.

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include "cli/output/picture_output.h"

namespace diffusion {

struct ResultOptions {
  std::string out;
  int columns = 0, scale = 0;  // 0: as suits the pictures
  bool show = false, json = false, quiet = false;
};

// Adds -o/--out with that default, --columns, --scale, --show, --json and --quiet.
void add_result_options(CLI::App& app, ResultOptions& options, const std::string& default_out);

// What can be known to be wrong with them before the work. Error(usage), Error(io). Animations are for
// commands that have --delay.
PictureOutput check_result(const CLI::App& app, const ResultOptions& options);

// Error(usage) if `count` pictures of that size do not fit the output.
void check_result_fits(const PictureOutput& output, const ResultOptions& options, int count, int channels,
                       int width, int height);

// One picture is as large as it is, several are a grid as `sample` makes it. names[k] is that of the file of
// picture k in a directory.
void write_result(const PictureOutput& output, const ResultOptions& options, std::span<const Image> pictures,
                  std::span<const std::string> names);

// "000007" for 7.
std::string numbered_name(std::size_t number);

}  // namespace diffusion
