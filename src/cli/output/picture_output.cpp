#include "cli/output/picture_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <vector>

#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "base/log.h"
#include "cli/options/options.h"
#include "cli/output/show.h"
#include "drawing/titles.h"
#include "pictures/resize.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

constexpr int kGap = 2;
constexpr std::uint8_t kBackground = 255;

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return text;
}

PictureForm form_of(const std::string& text) {
  const fs::path path(text);
  const std::string extension = lower(path.extension().string());
  if (extension == ".png") return PictureForm::png;
  if (extension == ".jpg" || extension == ".jpeg") return PictureForm::jpeg;
  if (extension == ".gif") return PictureForm::gif;
  if (extension == ".npy") return PictureForm::npy;
  std::error_code ignored;
  if (extension.empty() || fs::is_directory(path, ignored)) return PictureForm::directory;
  throw Error(
      ErrorKind::usage,
      fmt::format("the output {} has the extension \"{}\"; accepted are .png, .jpg, .jpeg, .gif, .npy "
                  "and directories (no extension)",
                  text, extension));
}

[[noreturn]] void refuse(const fs::path& path, const std::string& reason) {
  throw Error(ErrorKind::io, fmt::format("Cannot write {}: {}.", path.string(), reason));
}

void check_directory_writable(const fs::path& output, const fs::path& directory) {
  std::error_code error;
  const fs::file_status status = fs::status(directory, error);
  if (!fs::exists(status)) refuse(output, fmt::format("there is no directory {}", directory.string()));
  if (!fs::is_directory(status)) refuse(output, fmt::format("{} is not a directory", directory.string()));
  if (::access(directory.c_str(), W_OK | X_OK) != 0)
    refuse(output, fmt::format("the directory {}: {}", directory.string(), std::strerror(errno)));
}

void check_directory_output(const fs::path& output) {
  const fs::path path = output.has_filename() ? output : output.parent_path();
  std::error_code error;
  if (fs::exists(path, error)) return check_directory_writable(output, path);
  check_writable_file(path);
}

}  // namespace

void check_writable_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) refuse(path, "it is a directory");
  if (fs::exists(status) && !fs::is_regular_file(status)) refuse(path, "it is not a regular file");
  check_directory_writable(path, path.has_parent_path() ? path.parent_path() : fs::path("."));
}

PictureOutput parse_output(const std::string& text) {
  if (text.empty()) throw Error(ErrorKind::usage, "the name of the output is empty");
  const PictureOutput output{text, form_of(text)};
  if (output.form == PictureForm::directory)
    check_directory_output(output.path);
  else
    check_writable_file(output.path);
  return output;
}

PictureOutput parse_gif_output(std::string_view option, const std::string& text) {
  if (text.empty() || form_of(text) != PictureForm::gif)
    throw Error(ErrorKind::usage,
                fmt::format("{} is \"{}\"; accepted are names that end in .gif", option, text));
  return parse_output(text);
}

void check_channels(const PictureOutput& output, int channels) {
  if (output.form != PictureForm::npy && channels > 4)
    throw Error(ErrorKind::usage,
                fmt::format("{} cannot hold pictures with {} channels; an output that ends in .npy can",
                            output.path.string(), channels));
}

void check_grid_fits(const PictureOutput& output, const Grid& grid, int count, int width, int height) {
  if (!output.is_one_picture() && output.form != PictureForm::gif) return;
  const std::int64_t columns = std::min(grid.columns, count), rows = (count + columns - 1) / columns;
  const std::int64_t whole_width = columns * (std::int64_t(width) * grid.scale + kGap) - kGap;
  const std::int64_t whole_height = rows * (std::int64_t(height) * grid.scale + kGap) - kGap;
  constexpr std::int64_t kMaxSide = 65'500;  // of JPEG; GIF has 35 more
  const bool fits_side = whole_width <= kMaxSide && whole_height <= kMaxSide;
  if (whole_width > kMaxPixels / whole_height || (output.form != PictureForm::png && !fits_side))
    throw Error(
        ErrorKind::usage,
        fmt::format(
            "{} would have {} x {} pixels, which is too large; take fewer images, a smaller --scale, or "
            "an output that ends in .npy",
            output.path.string(), whole_width, whole_height));
}

Image draw(const Grid& grid, std::span<const Image> pictures, std::span<const std::string> prompts) {
  constexpr int kLinesOfPrompt = 3;
  std::vector<Image> tiles;
  std::vector<std::string> words;
  for (const Image& picture : pictures) tiles.push_back(enlarge(picture, grid.scale));
  for (std::size_t k = 0; k < pictures.size() && !prompts.empty(); ++k)
    words.push_back(prompts[k % prompts.size()]);
  if (!prompts.empty()) tiles = with_captions(tiles, words, kLinesOfPrompt);
  return make_grid(tiles, grid.columns, kGap, kBackground);
}

void write_picture(const PictureOutput& output, const Image& picture) {
  constexpr int kJpegQuality = 90;
  if (output.form == PictureForm::jpeg) return write_jpeg(output.path, on_white(picture), kJpegQuality);
  write_png(output.path, picture);
}

void show_or_tell(const Image& picture) {
  if (!show_picture(picture)) stderr_log().line("--show: stdout is no terminal that can show pictures");
}

void write_animation(const fs::path& path, std::span<const Image> frames, int delay_ms) {
  constexpr int kWholeMs = 4000, kLeastMs = 20, kMostMs = 200, kRestMs = 2000;
  if (delay_ms == 0) delay_ms = std::clamp(kWholeMs / int(frames.size()), kLeastMs, kMostMs);
  std::vector<Image> opaque;
  if (frames.front().channels % 2 == 0)  // with alpha
    for (const Image& frame : frames) opaque.push_back(on_white(frame));
  write_gif(path, opaque.empty() ? frames : std::span<const Image>(opaque), delay_ms, kRestMs);
}

void add_delay_option(CLI::App& app, int& delay_ms) {
  constexpr int kLeastMs = 20, kMostMs = 60'000;  // what is faster, browsers show slowly
  app.add_option("--delay", delay_ms,
                 "How long a frame of an animation lasts (default: as suits their number)")
      ->check(in_range(kLeastMs, kMostMs))
      ->type_name("MS")
      ->group("Output");
}

}  // namespace diffusion
