#include "drawing/drawing.h"

#include <cairo-svg.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <memory>
#include <new>

#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "base/utf8.h"
#include "files/fs.h"

namespace diffusion {

namespace {

constexpr const char* kFont = "DejaVu Sans";
constexpr int kMaxSide = 32'767;  // of a picture of cairo's
constexpr double kMaxNumber = 1e6;

struct DestroySurface {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
};
struct DestroyContext {
  void operator()(cairo_t* context) const { cairo_destroy(context); }
};
struct DestroyFontOptions {
  void operator()(cairo_font_options_t* options) const { cairo_font_options_destroy(options); }
};
using Surface = std::unique_ptr<cairo_surface_t, DestroySurface>;
using Context = std::unique_ptr<cairo_t, DestroyContext>;

void check(cairo_status_t status) {
  if (status == CAIRO_STATUS_SUCCESS) return;
  if (status == CAIRO_STATUS_NO_MEMORY) throw std::bad_alloc();
  throw Error(ErrorKind::internal, fmt::format("Drawing failed: {}.", cairo_status_to_string(status)));
}

// cairo refuses all further work after text that is not UTF-8.
std::string valid_utf8(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const std::string_view before = text;
    if (take_code_point(text)) {
      valid += before.substr(0, before.size() - text.size());
    } else {
      text.remove_prefix(1);
      valid += "\uFFFD";
    }
  }
  return valid;
}

void choose_font(cairo_t* context, double size) {
  // Without hinting and with gray smoothing, sizes and shapes do not depend on the screen's settings.
  const std::unique_ptr<cairo_font_options_t, DestroyFontOptions> options(cairo_font_options_create());
  cairo_font_options_set_antialias(options.get(), CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options.get(), CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options.get(), CAIRO_HINT_METRICS_OFF);
  cairo_set_font_options(context, options.get());
  cairo_select_font_face(context, kFont, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(context, size);
}

struct TextMeasure {
  bool has_font;
  double width;
};

TextMeasure measure(const std::string& text, double size) {
  const Surface surface(cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1));
  const Context context(cairo_create(surface.get()));
  choose_font(context.get(), size);
  cairo_text_extents_t extents{};
  cairo_text_extents(context.get(), text.c_str(), &extents);
  if (cairo_status(context.get()) == CAIRO_STATUS_SUCCESS) return {true, extents.x_advance};
  constexpr double kUsualWidth = 0.6;
  return {false, kUsualWidth * size * double(text.size())};
}

void set_color(cairo_t* context, Color color) {
  cairo_set_source_rgb(context, color.red / 255.0, color.green / 255.0, color.blue / 255.0);
}

void paint(cairo_t* context, const Polyline& line) {
  if (line.points.empty()) return;
  set_color(context, line.color);
  cairo_set_line_width(context, line.width);
  cairo_set_line_cap(context, CAIRO_LINE_CAP_ROUND);
  cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND);
  cairo_move_to(context, line.points.front().x, line.points.front().y);
  for (const Point& p : line.points) cairo_line_to(context, p.x, p.y);
  cairo_stroke(context);
}

void paint(cairo_t* context, const Polygon& polygon) {
  if (polygon.points.empty()) return;
  set_color(context, polygon.color);
  cairo_move_to(context, polygon.points.front().x, polygon.points.front().y);
  for (const Point& p : polygon.points) cairo_line_to(context, p.x, p.y);
  cairo_close_path(context);
  cairo_fill(context);
}

void paint(cairo_t* context, const Text& text) {
  const std::string valid = valid_utf8(text.text);
  const TextMeasure size = measure(valid, text.size);
  if (!size.has_font) return;
  const double share = text.anchor == Anchor::left ? 0 : text.anchor == Anchor::center ? 0.5 : 1;
  cairo_save(context);
  choose_font(context, text.size);
  set_color(context, {});
  cairo_translate(context, text.position.x, text.position.y);
  if (text.upward) cairo_rotate(context, -M_PI / 2);
  cairo_move_to(context, -share * size.width, 0);
  cairo_show_text(context, valid.c_str());
  cairo_restore(context);
}

void check_number(double number) {
  if (!(std::abs(number) <= kMaxNumber))
    throw Error(ErrorKind::usage,
                fmt::format("A drawing has the coordinate or size {}; accepted are at most {} in size.",
                            number, kMaxNumber));
}
void check_numbers(const std::vector<Point>& points) {
  for (const Point& p : points) {
    check_number(p.x);
    check_number(p.y);
  }
}
void check_numbers(const Polyline& line) {
  check_number(line.width);
  check_numbers(line.points);
}
void check_numbers(const Polygon& polygon) {
  check_numbers(polygon.points);
}
void check_numbers(const Text& text) {
  for (const double number : {text.position.x, text.position.y, text.size}) check_number(number);
}

void check_drawing(const Drawing& drawing) {
  const auto fits = [](int side) { return side >= 1 && side <= kMaxSide; };
  if (!fits(drawing.width) || !fits(drawing.height) || drawing.width > kMaxPixels / drawing.height)
    throw Error(
        ErrorKind::usage,
        fmt::format("A drawing has {} x {} pixels; accepted are sides of 1 to {}, and at most {} pixels.",
                    drawing.width, drawing.height, kMaxSide, kMaxPixels));
  for (const auto& shape : drawing.shapes) std::visit([](const auto& s) { check_numbers(s); }, shape);
}

void paint_all(cairo_surface_t* surface, const Drawing& drawing) {
  const Context context(cairo_create(surface));
  set_color(context.get(), {255, 255, 255});
  cairo_paint(context.get());
  for (const auto& shape : drawing.shapes) std::visit([&](const auto& s) { paint(context.get(), s); }, shape);
  check(cairo_status(context.get()));
}

cairo_status_t append(void* document, const unsigned char* data, unsigned int size) {
  try {
    static_cast<std::string*>(document)->append(reinterpret_cast<const char*>(data), size);
  } catch (const std::bad_alloc&) {
    return CAIRO_STATUS_NO_MEMORY;
  }
  return CAIRO_STATUS_SUCCESS;
}

// cairo numbers its surfaces; the same drawing shall be the same bytes.
void remove_surface_number(std::string& svg) {
  constexpr std::string_view kId = "id=\"surface";
  const std::size_t number = svg.find(kId) + kId.size();
  if (number >= kId.size()) svg.erase(number, svg.find('"', number) - number);
}

bool is_svg(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  if (extension != ".svg" && extension != ".png")
    throw Error(ErrorKind::usage,
                fmt::format("The drawing {} has the extension \"{}\"; accepted are .svg and .png.",
                            path.string(), extension));
  return extension == ".svg";
}

}  // namespace

double text_width(std::string_view text, double size) {
  check_number(size);
  return measure(valid_utf8(text), size).width;
}

Image render(const Drawing& drawing) {
  check_drawing(drawing);
  const Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, drawing.width, drawing.height));
  check(cairo_surface_status(surface.get()));
  paint_all(surface.get(), drawing);
  cairo_surface_flush(surface.get());

  Image image{drawing.width, drawing.height, 3, {}};
  image.pixels.reserve(3 * std::size_t(drawing.width) * std::size_t(drawing.height));
  const unsigned char* data = cairo_image_surface_get_data(surface.get());
  const std::ptrdiff_t stride = cairo_image_surface_get_stride(surface.get());
  for (int y = 0; y < drawing.height; ++y) {
    const auto* row = reinterpret_cast<const std::uint32_t*>(data + y * stride);
    for (int x = 0; x < drawing.width; ++x)
      for (const int shift : {16, 8, 0}) image.pixels.push_back(std::uint8_t(row[x] >> shift));
  }
  return image;
}

std::string to_svg(const Drawing& drawing) {
  check_drawing(drawing);
  std::string document;
  const Surface surface(
      cairo_svg_surface_create_for_stream(append, &document, drawing.width, drawing.height));
  check(cairo_surface_status(surface.get()));
  cairo_svg_surface_set_document_unit(surface.get(), CAIRO_SVG_UNIT_PX);
  paint_all(surface.get(), drawing);
  cairo_surface_finish(surface.get());
  check(cairo_surface_status(surface.get()));
  remove_surface_number(document);
  return document;
}

void check_drawing_path(const std::filesystem::path& path) {
  is_svg(path);
}

void write_drawing(const std::filesystem::path& path, const Drawing& drawing) {
  if (is_svg(path))
    write_file_atomically(path, to_svg(drawing));
  else
    write_png(path, render(drawing));
}

}  // namespace diffusion
