#include "cli/output/picture_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <diffusion/error.h>
#include "cli/options/options.h"
#include "cli/output/picture_stream.h"

namespace diffusion {

namespace {

constexpr int kVisibleSide = 64;

Grid grid_of(const ResultOptions& o, int count, int width, int height) {
  const int enough = count == 1 ? 1 : std::max(kVisibleSide / std::max(width, height), 1);
  return {o.columns > 0 ? o.columns : int(std::ceil(std::sqrt(count))), o.scale > 0 ? o.scale : enough};
}

}  // namespace

void add_result_options(CLI::App& app, ResultOptions& o, const std::string& default_out) {
  const char* output = "Output";
  o.out = default_out;
  app.add_option("-o,--out", o.out,
                 "What to write:\n"
                 "  .png  the picture, or several in a grid (or .jpg)\n"
                 "  .npy  uint8 array [N, H, W, C]\n"
                 "  else  a directory with one PNG each, 000000.png ...")
      ->type_name("OUT")
      ->capture_default_str();
  app.add_option("--columns", o.columns, "Pictures in a row of the grid (default: about a square)")
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->group(output);
  app.add_option("--scale", o.scale,
                 "Show each pixel as N x N (default: 1; in a grid as large as fits in 64 pixels)")
      ->check(in_range(1, 64))
      ->type_name("N")
      ->group(output);
  app.add_flag("--show", o.show, "Show the picture in the terminal")->group(output);
  add_json_flag(app, o.json);
  add_quiet_flag(app, o.quiet);
}

PictureOutput check_result(const CLI::App& app, const ResultOptions& o) {
  const PictureOutput output = parse_output(o.out);
  if (output.form == PictureForm::gif && app.get_option_no_throw("--delay") == nullptr)
    throw Error(ErrorKind::usage,
                fmt::format("--out is {}; accepted are names that end in .png, .jpg or .npy, and "
                            "directories",
                            o.out));
  const bool gridded = o.show || output.is_one_picture(), animated = output.form == PictureForm::gif;
  if (app.count("--columns") > 0 && !gridded)
    throw Error(ErrorKind::usage, "--columns is for --show and outputs that are one picture");
  if (app.count("--scale") > 0 && !gridded && !animated)
    throw Error(ErrorKind::usage, "--scale is for --show, animations and outputs that are one picture");
  if (o.show && o.json) throw Error(ErrorKind::usage, "--show and --json both want stdout; give one of them");
  return output;
}

void check_result_fits(const PictureOutput& output, const ResultOptions& o, int count, int channels,
                       int width, int height) {
  check_channels(output, channels);
  const Grid grid = grid_of(o, count, width, height);
  if (output.is_one_picture()) check_grid_fits(output, grid, count, width, height);
  if (o.show) check_grid_fits({"the picture of --show", PictureForm::png}, grid, count, width, height);
}

void write_result(const PictureOutput& output, const ResultOptions& o, std::span<const Image> pictures,
                  int first) {
  const Grid grid = grid_of(o, int(pictures.size()), pictures.front().width, pictures.front().height);
  if (output.is_one_picture()) {
    write_picture(output, draw(grid, pictures));
  } else {
    std::vector<std::string> names;
    for (std::size_t k = 0; k < pictures.size(); ++k)
      names.push_back(fmt::format("{:06}", std::size_t(first) + k));
    write_pictures(output, pictures, names);
  }
  if (o.show) show_or_tell(draw(grid, pictures));
}

}  // namespace diffusion
