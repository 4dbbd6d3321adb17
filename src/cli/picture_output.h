#pragma once

// Where a command puts pictures: -o OUT, whose extension decides the form.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "io/image.h"

namespace diffusion {

enum class PictureForm { png, gif, npy, directory };

struct PictureOutput {
  std::filesystem::path path;
  PictureForm form;
};

// .png, .gif, .npy, or a directory: an existing one, or a name without extension or with a slash at the end. Error(usage)
// listing them for anything else. Error(io) if it is already clear that the file cannot be written.
PictureOutput parse_output(const std::string& text);

// As parse_output for an option that accepts only GIF.
PictureOutput parse_gif_output(std::string_view option, const std::string& text);

// Error(usage) if PNG or GIF cannot hold pictures with so many channels.
void check_channels(const PictureOutput& output, int channels);

// Pictures in rows, each pixel shown as scale x scale.
struct Grid {
  int columns, scale;
};

// Error(usage) if the output is a grid or an animation of grids, and would have more pixels than its format can.
void check_grid_fits(const PictureOutput& output, const Grid& grid, int count, int width, int height);

Image draw(const Grid& grid, std::span<const Image> pictures);

// uint8 [N, H, W, C].
void write_pictures_npy(const std::filesystem::path& path, std::span<const Image> pictures);

// <directory>/<names[k]>.png, replacing files of that name; the directory is made if it does not exist.
void write_pictures_directory(const std::filesystem::path& directory, std::span<const Image> pictures,
                              std::span<const std::string> names);

// The animation at a pace that suits its length, with a rest of two seconds at the end.
void write_animation(const std::filesystem::path& path, std::span<const Image> frames);

}  // namespace diffusion
