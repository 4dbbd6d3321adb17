#pragma once

// Line plots as values: series over axes, turned into a drawing (drawing.h) that renders as SVG or PNG.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drawing/drawing.h"

namespace diffusion {

enum class AxisScale { linear, logarithmic };

// The range is that of the data.
struct Axis {
  std::string title;
  AxisScale scale = AxisScale::linear;
};

// faint: in a pale form of the color, for what lies behind; dotted: with a dot at each point.
enum class Stroke { line, faint, dotted };

// A curve through (x[i], y[i]). Points that are not finite or beyond 1e250 in size, and on a logarithmic axis
// those below 1e-250, are gaps in it; a point between gaps is a dot.
struct Series {
  std::string name;  // in the legend; empty: not there
  std::vector<double> x, y;
  std::optional<int> color = {};  // number in the palette of seven, counted around; none: that of the series
  Stroke stroke = Stroke::line;
};

// The area between two curves over the same x, behind all of these. `strength` 0 to 1: how much of the color.
// Points where one of the three cannot be shown are left out.
struct Band {
  std::vector<double> x, low, high;
  int color = 0;
  double strength = 0.3;
};

struct Plot {
  std::string title;
  Axis x, y;
  std::vector<Series> series;
  std::vector<Band> bands = {};
};

// A plot of width x height pixels. Without any point to show it says "no data". Curves of many points are
// thinned to what the pixels can show, extremes kept. Error(usage) unless both sides are at least 150, and
// for series and bands of unequal sizes.
Drawing draw_plot(const Plot& plot, int width, int height);

// Plots side by side, each of width x height.
Drawing draw_plots(std::span<const Plot> plots, int width, int height);

// Values for marks on an axis from `low` to `high`, ascending, about `count` of them: multiples of 1, 2 or 5
// times a power of ten; on a logarithmic axis powers of ten if two or more of them fit, with 2 and 5 times
// them where there is room. Needs low < high, finite, and on a logarithmic axis positive.
std::vector<double> axis_ticks(double low, double high, AxisScale scale, int count);

}  // namespace diffusion
