#include "data/shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {

namespace {

enum class Figure { disk, ring, square, frame, triangle, cross, stripes, checkerboard, star, crescent };
constexpr int kFigures = 10;

// A point in the figure's own frame, where the figure's circumscribed circle has radius 1.
struct Point {
  double x = 0, y = 0;
};

// Signed distances to the edge: negative inside. Exact near the edges, which is all that antialiasing needs.
double disk(Point p, double radius) {
  return std::hypot(p.x, p.y) - radius;
}

double box(Point p, double half_width, double half_height) {
  return std::max(std::abs(p.x) - half_width, std::abs(p.y) - half_height);
}

double triangle(Point p) {
  const double slanted = std::abs(p.x) * (std::numbers::sqrt3 / 2) + p.y * 0.5;
  return std::max(slanted, -p.y) - 0.5;
}

// Three bars.
double stripes(Point p) {
  const double nearest = std::clamp(std::round(p.x / 0.56), -1.0, 1.0) * 0.56;
  return box({p.x - nearest, p.y}, 0.15, 0.71);
}

// 4 x 4 squares. Only the three lines inside count as edges between them; the outline is the box's.
double checkerboard(Point p) {
  constexpr double half = 0.70, side = half / 2;
  const auto cell = [](double at) { return std::clamp(int(std::floor(at / side)), -2, 1); };
  const auto to_line = [](double at) {
    return std::abs(at - std::clamp(std::round(at / side), -1.0, 1.0) * side);
  };
  const double to_edge = std::min(to_line(p.x), to_line(p.y));
  const bool filled = (cell(p.x) + cell(p.y)) % 2 == 0;
  return std::max(filled ? -to_edge : to_edge, box(p, half, half));
}

// Five points: the plane is folded into the wedge of one half point, where the edge is one straight line from
// the tip at radius 1 to the notch at radius `notch`.
double star(Point p) {
  constexpr double wedge = std::numbers::pi / 5, notch = 0.45;
  const double radius = std::hypot(p.x, p.y);
  const double angle = std::abs(std::remainder(std::atan2(p.y, p.x), 2 * wedge));
  const double notch_x = notch * std::cos(wedge), notch_y = notch * std::sin(wedge);
  const double edge_x = notch_x - 1, edge_y = notch_y;
  const double x = radius * std::cos(angle) - 1, y = radius * std::sin(angle);
  return (x * edge_y - y * edge_x) / std::hypot(edge_x, edge_y);
}

double signed_distance(Figure figure, Point p) {
  switch (figure) {
    case Figure::disk:
      return disk(p, 0.85);
    case Figure::ring:
      return std::max(disk(p, 0.9), -disk(p, 0.5));
    case Figure::square:
      return box(p, 0.68, 0.68);
    case Figure::frame:
      return std::max(box(p, 0.71, 0.71), -box(p, 0.39, 0.39));
    case Figure::triangle:
      return triangle(p);
    case Figure::cross:
      return std::min(box(p, 0.94, 0.26), box(p, 0.26, 0.94));
    case Figure::stripes:
      return stripes(p);
    case Figure::checkerboard:
      return checkerboard(p);
    case Figure::star:
      return star(p);
    case Figure::crescent:
      return std::max(disk(p, 0.95), -disk({p.x - 0.45, p.y}, 0.75));
  }
  return 1;
}

Figure figure_of(std::uint64_t seed, std::uint32_t index) {
  // Steps from 1: step 0 is the image's own.
  const RandomKey key{.seed = seed, .stream = Stream::shapes, .step = 1 + index / kFigures};
  return Figure(permute(key, index % kFigures, kFigures));
}

void draw(std::uint64_t seed, std::uint32_t index, Figure figure, std::span<std::uint8_t> pixels) {
  const RandomKey key{.seed = seed, .stream = Stream::shapes, .sample = index};
  const auto between = [&key](double low, double high, std::uint32_t position) {
    return low + (high - low) * uniform(key, position);
  };
  const double radius = between(8.0, 13.0, 0);
  const double center_x = between(radius, kShapesSide - radius, 1);
  const double center_y = between(radius, kShapesSide - radius, 2);
  const double rotation = between(0, 2 * std::numbers::pi, 3);
  const double brightness = between(0.6, 1.0, 4);
  const double light = between(0, 2 * std::numbers::pi, 5);
  const double shade = between(0, 0.3, 6);
  const double cosine = std::cos(rotation), sine = std::sin(rotation);
  const double light_x = std::cos(light), light_y = std::sin(light);

  for (int y = 0; y < kShapesSide; ++y)
    for (int x = 0; x < kShapesSide; ++x) {
      const double dx = (x + 0.5 - center_x) / radius, dy = (y + 0.5 - center_y) / radius;
      const Point p{cosine * dx + sine * dy, cosine * dy - sine * dx};
      const double coverage = std::clamp(0.5 - radius * signed_distance(figure, p), 0.0, 1.0);
      const double lit = brightness * (1 - shade * (0.5 + 0.5 * (light_x * dx + light_y * dy)));
      pixels[std::size_t(y * kShapesSide + x)] =
          std::uint8_t(std::lround(255 * coverage * std::clamp(lit, 0.0, 1.0)));
    }
}

}  // namespace

std::span<const std::string> shape_names() {
  static const std::array<std::string, kFigures> names{
      "disk", "ring", "square", "frame", "triangle", "cross", "stripes", "checkerboard", "star", "crescent"};
  return names;
}

Dataset make_shapes(int count, std::uint64_t seed) {
  if (count < 1)
    throw Error(ErrorKind::usage, fmt::format("The number of shapes is {}; it must be at least 1.", count));
  Dataset dataset;
  dataset.name = "shapes";
  dataset.height = dataset.width = kShapesSide;
  dataset.channels = 1;
  dataset.class_names.assign(shape_names().begin(), shape_names().end());
  constexpr std::size_t image_bytes = kShapesSide * kShapesSide;
  std::vector<std::uint8_t> pixels(std::size_t(count) * image_bytes);
  dataset.labels.resize(std::size_t(count));
  for (std::size_t i = 0; i < dataset.labels.size(); ++i) {
    const Figure figure = figure_of(seed, std::uint32_t(i));
    dataset.labels[i] = std::uint16_t(figure);
    draw(seed, std::uint32_t(i), figure, std::span(pixels).subspan(i * image_bytes, image_bytes));
  }
  dataset.pixels = std::move(pixels);
  return dataset;
}

}  // namespace diffusion
