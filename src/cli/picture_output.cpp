#include "cli/picture_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "io/gif.h"
#include "io/npy.h"
#include "io/resize.h"

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
  if (extension == ".gif") return PictureForm::gif;
  if (extension == ".npy") return PictureForm::npy;
  std::error_code ignored;
  if (extension.empty() || fs::is_directory(path, ignored)) return PictureForm::directory;
  throw Error(ErrorKind::usage,
              fmt::format("the output {} has the extension \"{}\"; accepted are .png, .gif, .npy "
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

// What can be known before the work: nothing is written yet.
void check_writable(const PictureOutput& output) {
  std::error_code error;
  fs::path path = output.path;
  const bool is_directory = output.form == PictureForm::directory;
  if (is_directory && !path.has_filename()) path = path.parent_path();
  const fs::file_status status = fs::status(path, error);
  if (fs::exists(status) && is_directory) return check_directory_writable(output.path, path);
  if (fs::is_directory(status)) refuse(path, "it is a directory");
  if (fs::exists(status) && !fs::is_regular_file(status)) refuse(path, "it is not a regular file");
  check_directory_writable(output.path, path.has_parent_path() ? path.parent_path() : fs::path("."));
}

}  // namespace

PictureOutput parse_output(const std::string& text) {
  if (text.empty()) throw Error(ErrorKind::usage, "the name of the output is empty");
  const PictureOutput output{text, form_of(text)};
  check_writable(output);
  return output;
}

PictureOutput parse_gif_output(std::string_view option, const std::string& text) {
  if (text.empty() || form_of(text) != PictureForm::gif)
    throw Error(ErrorKind::usage,
                fmt::format("{} is \"{}\"; accepted are names that end in .gif", option, text));
  return parse_output(text);
}

void check_channels(const PictureOutput& output, int channels) {
  const bool png = output.form == PictureForm::png || output.form == PictureForm::directory;
  if ((png && channels > 4) || (output.form == PictureForm::gif && channels != 1 && channels != 3))
    throw Error(ErrorKind::usage,
                fmt::format("{} cannot hold pictures with {} channels; an output that ends in .npy can",
                            output.path.string(), channels));
}

void check_grid_fits(const PictureOutput& output, const Grid& grid, int count, int width, int height) {
  if (output.form != PictureForm::png && output.form != PictureForm::gif) return;
  const std::int64_t columns = std::min(grid.columns, count), rows = (count + columns - 1) / columns;
  const std::int64_t whole_width = columns * (std::int64_t(width) * grid.scale + kGap) - kGap;
  const std::int64_t whole_height = rows * (std::int64_t(height) * grid.scale + kGap) - kGap;
  constexpr std::int64_t kMaxGifSide = 65'535;
  const bool fits_gif = whole_width <= kMaxGifSide && whole_height <= kMaxGifSide;
  if (whole_width > kMaxPixels / whole_height || (output.form == PictureForm::gif && !fits_gif))
    throw Error(
        ErrorKind::usage,
        fmt::format(
            "{} would have {} x {} pixels, which is too large; take fewer images, a smaller --scale, or "
            "an output that ends in .npy",
            output.path.string(), whole_width, whole_height));
}

Image draw(const Grid& grid, std::span<const Image> pictures) {
  std::vector<Image> tiles;
  for (const Image& picture : pictures) tiles.push_back(enlarge(picture, grid.scale));
  return make_grid(tiles, grid.columns, kGap, kBackground);
}

void write_pictures_npy(const fs::path& path, std::span<const Image> pictures) {
  const Image& first = pictures.front();
  const std::array<std::int64_t, 4> dims{std::int64_t(pictures.size()), first.height, first.width,
                                         first.channels};
  std::vector<std::uint8_t> pixels;
  pixels.reserve(pictures.size() * first.pixels.size());
  for (const Image& picture : pictures)
    pixels.insert(pixels.end(), picture.pixels.begin(), picture.pixels.end());
  write_npy(path, dims, pixels);
}

void write_pictures_directory(const fs::path& directory, std::span<const Image> pictures,
                              std::span<const std::string> names) {
  std::error_code error;
  fs::create_directory(directory, error);
  if (error && !fs::is_directory(directory)) refuse(directory, error.message());
  for (std::size_t k = 0; k < pictures.size(); ++k) write_png(directory / (names[k] + ".png"), pictures[k]);
}

void write_animation(const fs::path& path, std::span<const Image> frames) {
  constexpr int kWholeMs = 4000, kLeastMs = 20, kMostMs = 200, kRestMs = 2000;
  write_gif(path, frames, std::clamp(kWholeMs / int(frames.size()), kLeastMs, kMostMs), kRestMs);
}

}  // namespace diffusion
