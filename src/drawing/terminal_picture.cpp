#include "drawing/terminal_picture.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <span>
#include <vector>

#include <diffusion/picture_files.h>
#include "pictures/palette.h"
#include "pictures/resize.h"

namespace diffusion {

namespace {

Image opaque_rgb(const Image& image) {
  return to_channels(image, 3, {255, 255, 255});
}

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < count ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

// The six rows of a band: per color one row of characters, whose lowest six bits are the pixels from top to
// bottom.
void append_sixel_band(std::string& text, std::span<const std::uint8_t> indices, std::size_t width,
                       std::size_t color_count) {
  const std::size_t rows = indices.size() / width;
  std::vector<bool> occurs(color_count);
  for (const std::uint8_t index : indices) occurs[index] = true;
  bool first = true;
  for (std::size_t color = 0; color < color_count; ++color) {
    if (!occurs[color]) continue;
    if (!first) text += '$';  // back to the left
    first = false;
    fmt::format_to(std::back_inserter(text), "#{}", color);
    for (std::size_t x = 0; x < width;) {
      const auto pixels = [&](std::size_t column) {
        int bits = 0;
        for (std::size_t y = 0; y < rows; ++y) bits |= int(indices[y * width + column] == color) << y;
        return bits;
      };
      const int bits = pixels(x);
      std::size_t run = 1;
      while (x + run < width && pixels(x + run) == bits) ++run;
      x += run;
      const char character = char('?' + bits);
      if (run > 3)
        fmt::format_to(std::back_inserter(text), "!{}{}", run, character);
      else
        text.append(run, character);
    }
  }
  text += '-';  // next band
}

// Of xterm's 256 colors: 16 to 231 are a cube of 6 levels, 232 to 255 grays 8, 18, ... 238.
int nearest_of_256(const Rgb& color) {
  constexpr std::array<int, 6> kLevels = {0, 95, 135, 175, 215, 255};
  const auto square = [](int value) { return value * value; };
  int cube_index = 16, cube_distance = 0, gray_distance = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    const auto distance = [&](int level) { return std::abs(level - color[c]); };
    const auto level = std::ranges::min_element(kLevels, {}, distance);
    constexpr std::array<int, 3> kSteps = {36, 6, 1};
    cube_index += kSteps[c] * int(level - kLevels.begin());
    cube_distance += square(distance(*level));
  }
  const int gray = std::clamp((color[0] + color[1] + color[2] - 3 * 8 + 15) / 30, 0, 23);
  for (const std::uint8_t value : color) gray_distance += square(value - (8 + 10 * gray));
  return gray_distance < cube_distance ? 232 + gray : cube_index;
}

std::string color_code(int layer, const Rgb& color, TerminalColors colors) {
  if (colors == TerminalColors::palette_256)
    return fmt::format("\x1b[{};5;{}m", layer, nearest_of_256(color));
  return fmt::format("\x1b[{};2;{};{};{}m", layer, color[0], color[1], color[2]);
}

bool contains_any(const std::string& text, std::span<const std::string_view> parts) {
  return std::ranges::any_of(parts,
                             [&](std::string_view part) { return text.find(part) != std::string::npos; });
}

}  // namespace

std::string kitty_picture(const Image& image, int columns) {
  constexpr std::size_t kPiece = 4096;
  const std::string data = base64(encode_png(image));
  std::string text;
  for (std::size_t at = 0; at < data.size(); at += kPiece) {
    const int more = at + kPiece < data.size() ? 1 : 0;
    // a=T: show at once; f=100: PNG; q=2: no answers, which would end up in the person's next command
    std::string keys = at == 0 ? "a=T,f=100,q=2," : "";
    if (at == 0 && columns > 0) keys += fmt::format("c={},", columns);
    text += fmt::format("\x1b_G{}m={};{}\x1b\\", keys, more, std::string_view(data).substr(at, kPiece));
  }
  return text + '\n';
}

std::string sixel_picture(const Image& image) {
  constexpr std::size_t kColors = 256, kBandRows = 6;
  const Image rgb = opaque_rgb(image);
  const std::vector<Rgb> palette = median_cut_palette({&rgb, 1}, kColors);
  const std::vector<std::uint8_t> indices = PaletteMapper(palette).dither(rgb);
  // Pixels are square, and those that are not drawn stay as they are; then the size of the picture.
  std::string text = fmt::format("\x1bP0;1;0q\"1;1;{};{}", rgb.width, rgb.height);
  for (std::size_t i = 0; i < palette.size(); ++i) {
    const auto percent = [&](std::size_t c) { return (palette[i][c] * 100 + 127) / 255; };
    fmt::format_to(std::back_inserter(text), "#{};2;{};{};{}", i, percent(0), percent(1), percent(2));
  }
  const std::size_t width = std::size_t(rgb.width), band = width * kBandRows;
  for (std::size_t at = 0; at < indices.size(); at += band)
    append_sixel_band(text, std::span(indices).subspan(at, std::min(band, indices.size() - at)), width,
                      palette.size());
  return text + "\x1b\\\n";
}

std::string half_block_picture(const Image& image, int columns, TerminalColors colors) {
  const Image rgb = opaque_rgb(resize_to_width(image, columns));
  const std::size_t width = std::size_t(rgb.width), height = std::size_t(rgb.height);
  const auto color_at = [&](std::size_t x, std::size_t y) {
    const std::uint8_t* pixel = rgb.pixels.data() + (y * width + x) * 3;
    return Rgb{pixel[0], pixel[1], pixel[2]};
  };
  std::string text;
  for (std::size_t y = 0; y < height; y += 2) {
    std::string above_before, below_before;
    for (std::size_t x = 0; x < width; ++x) {
      const std::string above = color_code(38, color_at(x, y), colors);
      const std::string below = y + 1 < height ? color_code(48, color_at(x, y + 1), colors) : "";
      if (above != above_before) text += above;
      if (below != below_before) text += below;
      text += "\u2580";
      above_before = above;
      below_before = below;
    }
    text += "\x1b[0m\n";
  }
  return text;
}

TerminalEnvironment terminal_environment() {
  const auto variable = [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    return value;
  };
  return {.stdout_is_terminal = ::isatty(STDOUT_FILENO) == 1,
          .no_color = variable("NO_COLOR"),
          .term = variable("TERM"),
          .term_program = variable("TERM_PROGRAM"),
          .kitty_window_id = variable("KITTY_WINDOW_ID"),
          .colorterm = variable("COLORTERM")};
}

TerminalProtocol choose_protocol(const TerminalEnvironment& environment,
                                 const std::function<bool()>& reports_sixel) {
  constexpr std::array<std::string_view, 2> kKittyTerms = {"xterm-kitty", "xterm-ghostty"};
  constexpr std::array<std::string_view, 2> kKittyPrograms = {"WezTerm", "ghostty"};
  constexpr std::array<std::string_view, 4> kSixelTerms = {"sixel", "foot", "mlterm", "contour"};
  const std::string term = environment.term.value_or("");
  const bool plain = !environment.no_color.value_or("").empty() || term.empty() || term == "dumb";
  if (!environment.stdout_is_terminal || plain) return TerminalProtocol::none;
  // Inside tmux and screen the variables may be those of the terminal around them, which does not see what we
  // write.
  const bool nested = term.starts_with("tmux") || term.starts_with("screen");
  const bool knows_kitty = std::ranges::count(kKittyTerms, term) > 0 || environment.kitty_window_id ||
                           std::ranges::count(kKittyPrograms, environment.term_program.value_or("")) > 0;
  if (knows_kitty && !nested) return TerminalProtocol::kitty;
  if (contains_any(term, kSixelTerms) || reports_sixel()) return TerminalProtocol::sixel;
  return TerminalProtocol::half_blocks;
}

TerminalColors choose_colors(const TerminalEnvironment& environment) {
  const std::string colorterm = environment.colorterm.value_or("");
  return colorterm == "truecolor" || colorterm == "24bit" ? TerminalColors::rgb : TerminalColors::palette_256;
}

bool attributes_have_sixel(std::string_view answer) {
  constexpr std::string_view kStart = "\x1b[?";
  const std::size_t start = answer.find(kStart);
  if (start == std::string_view::npos) return false;
  answer.remove_prefix(start + kStart.size());
  const std::size_t end = answer.find('c');
  if (end == std::string_view::npos) return false;
  // The first number is the kind of terminal, the others are what it can do.
  for (std::size_t at = answer.substr(0, end).find(';'); at < end; at = answer.find(';', at + 1)) {
    const std::string_view number = answer.substr(at + 1, std::min(end, answer.find(';', at + 1)) - at - 1);
    if (number == "4") return true;
  }
  return false;
}

}  // namespace diffusion
