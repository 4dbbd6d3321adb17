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
// commands that have --delay, and have no --columns.
PictureOutput check_result(const CLI::App& app, const ResultOptions& options);

// Error(usage) if `count` pictures of that size do not fit the output, or a grid of them --show.
void check_result_fits(const PictureOutput& output, const ResultOptions& options, int count, int channels,
                       int width, int height);

// One picture is as large as it is, several are a grid as `sample` makes it. In a directory files are named
// by number, from `first` on: 000007.png for 7.
void write_result(const PictureOutput& output, const ResultOptions& options, std::span<const Image> pictures,
                  int first);

}  // namespace diffusion
