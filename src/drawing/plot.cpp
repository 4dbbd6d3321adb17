#include "drawing/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr int kLeastSide = 150;
constexpr double kMaxValue = 1e250;  // differences, and room at the ends, neither overflow nor vanish
constexpr double kTitleSize = 13, kLabelSize = 11, kMargin = 10, kLineHeight = 16, kTickLength = 4;
constexpr Color kBlack{0, 0, 0}, kGrid{225, 225, 225};
// Okabe & Ito's palette, which people with any kind of color vision can tell apart.
constexpr std::array<Color, 7> kColors{
    {{0, 114, 178}, {213, 94, 0}, {0, 158, 115}, {204, 121, 167}, {230, 159, 0}, {86, 180, 233}, {0, 0, 0}}};

Color color_of(const Plot& plot, std::size_t k) {
  const Color color = kColors[std::size_t(plot.series[k].color.value_or(int(k))) % kColors.size()];
  if (plot.series[k].stroke != Stroke::faint) return color;
  const auto pale = [](std::uint8_t part) { return std::uint8_t(255 - (255 - part) * 3 / 10); };
  return {pale(color.red), pale(color.green), pale(color.blue)};
}

Color color_of(const Band& band) {
  const Color color = kColors[std::size_t(band.color) % kColors.size()];
  const auto pale = [&](std::uint8_t part) {
    return std::uint8_t(std::lround(255 - (255 - part) * band.strength));
  };
  return {pale(color.red), pale(color.green), pale(color.blue)};
}

bool can_show(double value, AxisScale scale) {
  return std::abs(value) <= kMaxValue && (scale == AxisScale::linear || value >= 1 / kMaxValue);
}

bool can_show(const Plot& plot, const Series& series, std::size_t i) {
  return can_show(series.x[i], plot.x.scale) && can_show(series.y[i], plot.y.scale);
}

bool can_show(const Plot& plot, const Band& band, std::size_t i) {
  return can_show(band.x[i], plot.x.scale) && can_show(band.low[i], plot.y.scale) &&
         can_show(band.high[i], plot.y.scale);
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;

  bool empty() const { return low > high; }
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// With some room at both ends, and never of no length.
Range padded(Range range, AxisScale scale, double share) {
  if (range.empty()) return {1, 10};
  constexpr double kLeastLength = 1e-6;  // of the values; below, labels would not tell ticks apart
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  if (scale == AxisScale::logarithmic) {
    const bool point = range.high <= range.low * (1 + kLeastLength);
    const double factor = point ? 2 : std::pow(range.high / range.low, share);
    return std::isfinite(factor) ? Range{range.low / factor, range.high * factor} : range;
  }
  const double length = range.high - range.low;
  double pad = length * share;
  if (size == 0)
    pad = 0.5;
  else if (length <= kLeastLength * size)
    pad = size / 2;
  return {range.low - pad, range.high + pad};
}

// One direction of the plot area: from values to pixels.
struct Direction {
  Range range;
  AxisScale scale;
  double from, to;  // pixels of low and high

  double place(double value) const {
    const double share = scale == AxisScale::linear ? (value - range.low) / (range.high - range.low)
                                                    : (std::log(value) - std::log(range.low)) /
                                                          (std::log(range.high) - std::log(range.low));
    return from + share * (to - from);
  }
};

std::string label(double value) {
  return fmt::format("{:.8g}", value);
}

double widest_label(std::span<const double> ticks) {
  double width = 0;
  for (const double tick : ticks) width = std::max(width, text_width(label(tick), kLabelSize));
  return width;
}

// A curve without gaps, in pixels. Of the points in one column of pixels, first, lowest, highest and last say
// it all.
std::vector<Point> thinned(std::span<const Point> points) {
  std::vector<Point> kept;
  for (std::size_t begin = 0; begin < points.size();) {
    std::size_t end = begin, low = begin, high = begin;
    for (; end < points.size() && std::floor(points[end].x) == std::floor(points[begin].x); ++end) {
      if (points[end].y < points[low].y) low = end;
      if (points[end].y > points[high].y) high = end;
    }
    std::array<std::size_t, 4> places{begin, low, high, end - 1};
    std::ranges::sort(places);
    const auto repeated = std::ranges::unique(places);
    for (auto place = places.begin(); place != repeated.begin(); ++place) kept.push_back(points[*place]);
    begin = end;
  }
  return kept;
}

class PlotPainter {
 public:
  PlotPainter(const Plot& plot, int width, int height) : plot_(plot), width_(width), height_(height) {
    drawing_.width = width;
    drawing_.height = height;
  }

  Drawing paint() {
    lay_out();
    title_and_legend();
    axes();
    for (const Band& band : plot_.bands) area(band);
    for (std::size_t k = 0; k < plot_.series.size(); ++k) curve(plot_.series[k], color_of(plot_, k));
    if (!has_data_)
      text({(x_.from + x_.to) / 2, (y_.from + y_.to) / 2}, "no data", kTitleSize, Anchor::center);
    return std::move(drawing_);
  }

 private:
  void text(Point position, const std::string& words, double size, Anchor anchor, bool upward = false) {
    if (!words.empty()) drawing_.shapes.emplace_back(Text{position, words, size, anchor, upward});
  }
  void line(Point a, Point b, Color color, double width) {
    drawing_.shapes.emplace_back(Polyline{{a, b}, color, width});
  }

  // Where each name of the legend begins: beside the one before, or on a new line.
  void place_legend() {
    constexpr double kSample = 18, kSpace = 12;
    double x = kMargin, row = 0;
    for (const Series& series : plot_.series) {
      const double width = kSample + text_width(series.name, kLabelSize) + kSpace;
      if (x > kMargin && x + width > width_) {
        x = kMargin;
        row += 1;
      }
      legend_.push_back({x, row});
      if (!series.name.empty()) x += width;
    }
    const bool has_names = std::ranges::any_of(plot_.series, [](const Series& s) { return !s.name.empty(); });
    legend_rows_ = has_names ? row + 1 : 0;
  }

  void lay_out() {
    place_legend();
    Range x, y;
    for (const Series& series : plot_.series)
      for (std::size_t i = 0; i < series.x.size(); ++i)
        if (can_show(plot_, series, i)) {
          x.include(series.x[i]);
          y.include(series.y[i]);
        }
    for (const Band& band : plot_.bands)
      for (std::size_t i = 0; i < band.x.size(); ++i)
        if (can_show(plot_, band, i)) {
          x.include(band.x[i]);
          y.include(band.low[i]);
          y.include(band.high[i]);
        }
    has_data_ = !x.empty();
    constexpr double kRoom = 0.04, kPixelsPerTickX = 55, kPixelsPerTickY = 28;
    top_ = kMargin + (plot_.title.empty() ? 0 : kLineHeight + 4) + legend_rows_ * kLineHeight;
    const double bottom = height_ - kMargin - 2 * kLineHeight - kTickLength;
    y_ = {padded(y, plot_.y.scale, kRoom), plot_.y.scale, bottom, top_};
    y_ticks_ = ticks(y_, kPixelsPerTickY);
    const double left = kMargin + kLineHeight + widest_label(y_ticks_) + kTickLength + 2;
    x_ = {padded(x, plot_.x.scale, 0), plot_.x.scale, left, width_ - 2 * kMargin};
    x_ticks_ = ticks(x_, kPixelsPerTickX);
  }

  static std::vector<double> ticks(const Direction& d, double pixels_per_tick) {
    const int count = std::max(int(std::abs(d.to - d.from) / pixels_per_tick), 2);
    return axis_ticks(d.range.low, d.range.high, d.scale, count);
  }

  void title_and_legend() {
    text({width_ / 2, kMargin + kTitleSize}, plot_.title, kTitleSize, Anchor::center);
    const double first_row = top_ - legend_rows_ * kLineHeight + kLabelSize - 4;
    for (std::size_t k = 0; k < plot_.series.size(); ++k) {
      if (plot_.series[k].name.empty()) continue;
      const Point at{legend_[k].x, first_row + legend_[k].y * kLineHeight};
      line({at.x, at.y - 4}, {at.x + 12, at.y - 4}, color_of(plot_, k), 2);
      text({at.x + 18, at.y}, plot_.series[k].name, kLabelSize, Anchor::left);
    }
  }

  void axes() {
    for (const double tick : x_ticks_) {
      const double x = x_.place(tick);
      line({x, y_.from}, {x, y_.to}, kGrid, 1);
      line({x, y_.from}, {x, y_.from + kTickLength}, kBlack, 1);
      text({x, y_.from + kTickLength + kLabelSize + 1}, label(tick), kLabelSize, Anchor::center);
    }
    for (const double tick : y_ticks_) {
      const double y = y_.place(tick);
      line({x_.from, y}, {x_.to, y}, kGrid, 1);
      line({x_.from - kTickLength, y}, {x_.from, y}, kBlack, 1);
      text({x_.from - kTickLength - 2, y + kLabelSize / 3}, label(tick), kLabelSize, Anchor::right);
    }
    drawing_.shapes.emplace_back(
        Polyline{{{x_.from, y_.to}, {x_.from, y_.from}, {x_.to, y_.from}}, kBlack, 1});
    text({(x_.from + x_.to) / 2, height_ - kMargin}, plot_.x.title, kLabelSize, Anchor::center);
    text({kMargin + kLabelSize - 2, (y_.from + y_.to) / 2}, plot_.y.title, kLabelSize, Anchor::center, true);
  }

  void area(const Band& band) {
    std::vector<Point> edge, back;
    for (std::size_t i = 0; i < band.x.size(); ++i) {
      if (!can_show(plot_, band, i)) continue;
      edge.push_back({x_.place(band.x[i]), y_.place(band.high[i])});
      back.push_back({x_.place(band.x[i]), y_.place(band.low[i])});
    }
    edge.insert(edge.end(), back.rbegin(), back.rend());
    drawing_.shapes.emplace_back(Polygon{std::move(edge), color_of(band)});
  }

  void curve(const Series& series, Color color) {
    constexpr double kWidth = 1.6, kDotWidth = 5;
    std::vector<Point> piece;
    const auto finish = [&] {
      if (piece.empty()) return;
      const std::vector<Point> points = thinned(piece);
      drawing_.shapes.emplace_back(Polyline{points, color, kWidth});
      if (series.stroke == Stroke::dotted)
        for (const Point& point : points) drawing_.shapes.emplace_back(Polyline{{point}, color, kDotWidth});
      piece.clear();
    };
    for (std::size_t i = 0; i < series.x.size(); ++i)
      if (can_show(plot_, series, i))
        piece.push_back({x_.place(series.x[i]), y_.place(series.y[i])});
      else
        finish();
    finish();
  }

  const Plot& plot_;
  double width_, height_;
  Drawing drawing_;
  bool has_data_ = false;
  std::vector<Point> legend_;  // x in pixels, y in rows
  double legend_rows_ = 0, top_ = 0;
  Direction x_{}, y_{};
  std::vector<double> x_ticks_, y_ticks_;
};

}  // namespace

Drawing draw_plot(const Plot& plot, int width, int height) {
  if (width < kLeastSide || height < kLeastSide)
    throw Error(ErrorKind::usage,
                fmt::format("A plot has {} x {} pixels; accepted are {} or more on both sides.", width,
                            height, kLeastSide));
  for (const Series& series : plot.series)
    if (series.x.size() != series.y.size())
      throw Error(ErrorKind::usage,
                  fmt::format("The series \"{}\" has {} x and {} y values; they must be as many.",
                              series.name, series.x.size(), series.y.size()));
  for (const Band& band : plot.bands)
    if (band.x.size() != band.low.size() || band.x.size() != band.high.size())
      throw Error(ErrorKind::usage,
                  fmt::format("A band has {} x, {} low and {} high values; they must be as many.",
                              band.x.size(), band.low.size(), band.high.size()));
  return PlotPainter(plot, width, height).paint();
}

Drawing draw_plots(std::span<const Plot> plots, int width, int height) {
  Drawing all{0, height, {}};
  for (const Plot& plot : plots) {
    Drawing one = draw_plot(plot, width, height);
    for (auto& shape : one.shapes) {
      if (auto* text = std::get_if<Text>(&shape)) text->position.x += all.width;
      if (auto* line = std::get_if<Polyline>(&shape))
        for (Point& p : line->points) p.x += all.width;
      if (auto* polygon = std::get_if<Polygon>(&shape))
        for (Point& p : polygon->points) p.x += all.width;
      all.shapes.push_back(std::move(shape));
    }
    all.width += width;
  }
  return all;
}

}  // namespace diffusion
