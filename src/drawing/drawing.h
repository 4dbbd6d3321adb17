#pragma once

// Drawings as values: lines and letters in a rectangle, in paint order. Rendering is a function, so that a
// plot is the same in a file of pixels and in one of vectors.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <diffusion/image.h>

namespace diffusion {

struct Color {
  std::uint8_t red = 0, green = 0, blue = 0;
};

// In pixels, from the upper left corner.
struct Point {
  double x = 0, y = 0;
  bool operator==(const Point&) const = default;
};

// One point is a dot.
struct Polyline {
  std::vector<Point> points;
  Color color;
  double width = 1;
};

// Filled, without an edge.
struct Polygon {
  std::vector<Point> points;
  Color color;
};

enum class Anchor { left, center, right };

// One line of UTF-8; bytes that are none are shown as replacement characters.
struct Text {
  Point position;  // of the anchor, on the baseline
  std::string text;
  double size = 12;  // of the font, in pixels
  Anchor anchor = Anchor::left;
  bool upward = false;  // reads from bottom to top
};

// On white.
struct Drawing {
  int width = 0, height = 0;
  std::vector<std::variant<Polyline, Polygon, Text>> shapes;
};

// How far a text reaches. An estimate where the system has no font, and then rendering leaves texts out.
double text_width(std::string_view text, double size);

// RGB pixels, smoothed. Error(usage) unless the sides are 1 to 32,767, there are at most kMaxPixels, and
// every number is finite and at most a million in size; so for all below.
Image render(const Drawing& drawing);

// An SVG document, with letters as shapes: it looks the same on a machine without the font.
std::string to_svg(const Drawing& drawing);

// .svg or .png, whatever the case; Error(usage) for other names, which check_drawing_path finds before the
// work. Atomic.
void write_drawing(const std::filesystem::path& path, const Drawing& drawing);
void check_drawing_path(const std::filesystem::path& path);

}  // namespace diffusion
