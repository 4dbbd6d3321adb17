#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <diffusion/image.h>

namespace diffusion {

// Pictures as text for a terminal. Each ends with a new line; transparency becomes white, except in kitty's.

// Terminal graphics protocol of kitty (also Ghostty, WezTerm): PNG in base64, in pieces of 4,096 characters.
// `columns` is the width to scale to, 0 for the picture's own size in pixels.
std::string kitty_picture(const Image& image, int columns);

// Sixel, as of DEC's VT340: bands of six rows, at most 256 colors (dithered if there are more). Shown pixel
// by pixel.
std::string sixel_picture(const Image& image);

enum class TerminalColors { rgb, palette_256 };

// Unicode's upper half block, two pixels a character: `columns` characters wide, and so high as the aspect
// wants.
std::string half_block_picture(const Image& image, int columns, TerminalColors colors);

enum class TerminalProtocol { none, kitty, sixel, half_blocks };

// What decides; absent is an environment variable that is not set.
struct TerminalEnvironment {
  bool stdout_is_terminal = false;
  std::optional<std::string> no_color = {}, term = {}, term_program = {}, kitty_window_id = {},
                             colorterm = {};
};

TerminalEnvironment terminal_environment();  // of this process

// The best protocol that the terminal knows; none without a terminal, with NO_COLOR (unless empty) and for
// TERM=dumb. `reports_sixel` asks the terminal, and is called only if the environment leaves it open.
TerminalProtocol choose_protocol(const TerminalEnvironment& environment,
                                 const std::function<bool()>& reports_sixel);

// 24 bits if COLORTERM says so, else the 256 colors of xterm.
TerminalColors choose_colors(const TerminalEnvironment& environment);

// If an answer to the query DA1 (primary device attributes), such as "ESC [ ? 62 ; 4 ; 22 c", lists sixel
// graphics.
bool attributes_have_sixel(std::string_view answer);

}  // namespace diffusion
