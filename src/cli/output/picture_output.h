#pragma once

// Where a command puts pictures: -o OUT, whose extension decides the form.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include <diffusion/image.h>

namespace diffusion {

// sound: only where a command says so. Clips of a model of sound, one as WAV or a directory to listen to.
enum class PictureForm { png, jpeg, gif, npy, directory, sound };

struct PictureOutput {
  std::filesystem::path path;
  PictureForm form;

  bool is_one_picture() const { return form == PictureForm::png || form == PictureForm::jpeg; }
};

// .png, .jpg, .jpeg, .gif, .npy, or a directory: an existing one, or a name without extension or with a slash
// at the end. Error(usage) listing them for anything else. Error(io) if it is already clear that the file
// cannot be written.
PictureOutput parse_output(const std::string& text);

// As parse_output for an option that accepts only GIF.
PictureOutput parse_gif_output(std::string_view option, const std::string& text);

// Error(io) if it is already clear that a file of this name cannot be written.
void check_writable_file(const std::filesystem::path& path);

// Error(usage) if pictures with so many channels can only be written as arrays. Alpha is kept by PNG; for GIF
// and JPEG it is composited on white.
void check_channels(const PictureOutput& output, int channels);

// Pictures in rows, each pixel shown as scale x scale.
struct Grid {
  int columns, scale;
};

// Error(usage) if the output is a grid or an animation of grids, and would have more pixels than its format
// can.
void check_grid_fits(const PictureOutput& output, const Grid& grid, int count, int width, int height);

// Picture k has prompt k mod their number below it; none: no words.
Image draw(const Grid& grid, std::span<const Image> pictures, std::span<const std::string> prompts = {});

// PNG or JPEG, for outputs that are one picture.
void write_picture(const PictureOutput& output, const Image& picture);

// For --show: the picture in the terminal, or a line on stderr that tells why not.
void show_or_tell(const Image& picture);

// The animation with a rest of two seconds at the end; a frame lasts `delay_ms`, or 0: as suits their number.
void write_animation(const std::filesystem::path& path, std::span<const Image> frames, int delay_ms);

// Adds --delay, in milliseconds.
void add_delay_option(CLI::App& app, int& delay_ms);

}  // namespace diffusion
