#include "drawing/plot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;
using Values = std::vector<double>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<std::string> texts(const Drawing& drawing) {
  std::vector<std::string> found;
  for (const auto& shape : drawing.shapes)
    if (const auto* text = std::get_if<Text>(&shape)) found.push_back(text->text);
  return found;
}

bool says(const Drawing& drawing, const std::string& words) {
  return std::ranges::count(texts(drawing), words) > 0;
}

// The pieces of the curves: what is drawn after the axes, which are the only line of three points.
std::vector<Polyline> curves(const Drawing& drawing) {
  std::vector<Polyline> found;
  bool after_axes = false;
  for (const auto& shape : drawing.shapes) {
    const auto* line = std::get_if<Polyline>(&shape);
    if (line && after_axes) found.push_back(*line);
    if (line && !after_axes && line->points.size() == 3) after_axes = true;
  }
  return found;
}

Plot one(const Values& x, const Values& y, AxisScale scale = AxisScale::linear) {
  return {"", {"x"}, {"y", scale}, {{"", x, y}}};
}

TEST(AxisTicks, AreRoundNumbersInside) {
  EXPECT_EQ(axis_ticks(0, 1, AxisScale::linear, 5), (Values{0, 0.2, 0.2 * 2, 0.2 * 3, 0.8, 1}));
  EXPECT_EQ(axis_ticks(-3, 12, AxisScale::linear, 4), (Values{0, 5, 10}));
  EXPECT_EQ(axis_ticks(0, 199, AxisScale::linear, 4), (Values{0, 50, 100, 150}));
  EXPECT_EQ(axis_ticks(1e-5, 2, AxisScale::logarithmic, 6), (Values{1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1}));
  EXPECT_EQ(axis_ticks(1e-5, 2, AxisScale::logarithmic, 3).size(), 3u) << "every other decade";
  EXPECT_EQ(axis_ticks(20, 70, AxisScale::logarithmic, 5), (Values{20, 30, 40, 50, 60, 70}))
      << "less than a decade";
  EXPECT_EQ(axis_ticks(0.08, 1.3, AxisScale::logarithmic, 8), (Values{0.1, 0.2, 0.5, 1}))
      << "room between decades";
  EXPECT_EQ(axis_ticks(0.08, 1.3, AxisScale::logarithmic, 3), (Values{0.1, 1}));
}

TEST(AxisTicks, AreFewAscendingAndInRangeForAnyRange) {
  const double ranges[][2] = {{0, 1e-300},  {-1e250, 1e250}, {1, 1.0001},     {-7, -6.9},   {0.3, 0.31},
                              {1e17, 2e17}, {-1e-9, 1e9},    {1e-250, 1e250}, {9.99, 10.01}};
  for (const auto& [low, high] : ranges)
    for (const AxisScale scale : {AxisScale::linear, AxisScale::logarithmic})
      for (const int count : {2, 5, 10}) {
        if (scale == AxisScale::logarithmic && low <= 0) continue;
        const Values ticks = axis_ticks(low, high, scale, count);
        EXPECT_LE(ticks.size(), std::size_t(2 * count + 2)) << low << " to " << high;
        const double slack = 1e-9 * std::max(std::abs(low), std::abs(high));
        for (std::size_t i = 0; i < ticks.size(); ++i) {
          EXPECT_GE(ticks[i], low - slack);
          EXPECT_LE(ticks[i], high + slack);
          if (i > 0) {
            EXPECT_GT(ticks[i], ticks[i - 1]);
          }
        }
      }
}

TEST(Plot, PutsPointsInProportion) {
  const auto curve = curves(draw_plot(one({0, 50, 100}, {3, 5, 7}), 400, 300));
  ASSERT_EQ(curve.size(), 1u);
  const auto& p = curve[0].points;
  ASSERT_EQ(p.size(), 3u);
  EXPECT_NEAR(p[1].x - p[0].x, p[2].x - p[1].x, 1e-9);
  EXPECT_GT(p[2].x - p[0].x, 300);
  EXPECT_NEAR(p[1].y - p[0].y, p[2].y - p[1].y, 1e-9);
  EXPECT_LT(p[2].y, p[0].y - 180) << "up is more";

  const auto log = curves(draw_plot(one({0, 1, 2}, {1e-4, 1, 1e4}, AxisScale::logarithmic), 400, 300));
  ASSERT_EQ(log.size(), 1u);
  EXPECT_NEAR(log[0].points[1].y - log[0].points[0].y, log[0].points[2].y - log[0].points[1].y, 1e-9);
}

TEST(Plot, HasTitlesLabelsAndLegend) {
  const Plot plot{"The title",
                  {"step"},
                  {"loss"},
                  {{"train", {0, 10}, {1, 0.5}}, {"", {0, 10}, {1, 2}}, {"other", {0}, {1}}}};
  const Drawing drawing = draw_plot(plot, 400, 300);
  for (const char* words : {"The title", "step", "loss", "train", "other", "0", "10", "0.5", "2"})
    EXPECT_TRUE(says(drawing, words)) << words;
  const auto pieces = curves(drawing);
  ASSERT_EQ(pieces.size(), 3u);
  const auto color = [&](std::size_t k) { return std::array{pieces[k].color.red, pieces[k].color.green}; };
  EXPECT_NE(color(0), color(1));
  EXPECT_NE(color(1), color(2));
}

TEST(Plot, BreaksCurvesWhereThereIsNoNumber) {
  const Values x{0, 1, 2, 3, 4, 5, kNan, 7}, y{1, 2, kNan, 3, kInfinity, 4, 4, -kInfinity};
  const auto pieces = curves(draw_plot(one(x, y), 400, 300));
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].points.size(), 2u);
  EXPECT_EQ(pieces[1].points.size(), 1u) << "a dot";
  EXPECT_EQ(curves(draw_plot(one({0, 1, 2}, {1, 0, 3}, AxisScale::logarithmic), 400, 300)).size(), 2u);
}

TEST(Plot, SaysWhenThereIsNoData) {
  for (const Plot& plot :
       {Plot{}, one({}, {}), one({1, 2}, {kNan, kInfinity}), one({1}, {-1}, AxisScale::logarithmic)}) {
    const Drawing drawing = draw_plot(plot, 300, 200);
    EXPECT_TRUE(says(drawing, "no data"));
    EXPECT_TRUE(curves(drawing).empty());
    EXPECT_NO_THROW(render(drawing));
  }
  EXPECT_FALSE(says(draw_plot(one({1}, {1}), 300, 200), "no data"));
}

TEST(Plot, AnyNumbersStayInsideThePicture) {
  const Values sets[] = {{0, 0},           {5, 5},         {-1e250, 1e250},   {1e-250, 1e250},
                         {1e308, 1},       {5e-324, 0},    {1e9, 1e9 + 1e-5}, {-3, -3, -3},
                         {1e-310, 2e-310}, {1e-240, 1e60}, {1e240, 1e250}};
  for (const Values& values : sets)
    for (const AxisScale scale : {AxisScale::linear, AxisScale::logarithmic}) {
      const Plot plot{"", {"", scale}, {"", scale}, {{"", values, values}}};
      const Drawing drawing = draw_plot(plot, 300, 200);
      for (const Polyline& piece : curves(drawing))
        for (const Point& p : piece.points) {
          ASSERT_TRUE(p.x >= 0 && p.x <= 300) << values[0] << ": " << p.x;
          ASSERT_TRUE(p.y >= 0 && p.y <= 200) << values[0] << ": " << p.y;
        }
      EXPECT_NO_THROW(render(drawing)) << values[0];
    }
}

TEST(Plot, ThinsLongCurvesAndKeepsTheirExtremes) {
  Values x, y;
  for (int i = 0; i < 100'000; ++i) {
    x.push_back(i);
    y.push_back(std::sin(i * 0.7));
  }
  y[31'415] = 9;
  const auto pieces = curves(draw_plot(one(x, y), 400, 300));
  ASSERT_EQ(pieces.size(), 1u);
  const auto& points = pieces[0].points;
  EXPECT_LE(points.size(), 1600u);
  EXPECT_GE(points.size(), 700u);
  double highest = 1000;
  for (std::size_t i = 0; i < points.size(); ++i) {
    highest = std::min(highest, points[i].y);
    if (i > 0) {
      ASSERT_GE(points[i].x, points[i - 1].x) << "in order";
    }
  }
  const auto whole = curves(draw_plot(one({0, 1}, {-1, 9}), 400, 300));
  EXPECT_NEAR(highest, whole[0].points[1].y, 0.5);
}

TEST(Plot, SideBySide) {
  const std::vector<Plot> plots{one({0, 1}, {0, 1}), one({0, 1}, {0, 1})};
  const Drawing both = draw_plots(plots, 200, 150), single = draw_plot(plots[0], 200, 150);
  EXPECT_EQ(both.width, 400);
  EXPECT_EQ(both.height, 150);
  ASSERT_EQ(both.shapes.size(), 2 * single.shapes.size());
  const std::size_t n = single.shapes.size();
  EXPECT_EQ(std::get<Polyline>(both.shapes[2 * n - 1]).points[0].x,
            std::get<Polyline>(single.shapes[n - 1]).points[0].x + 200);
}

TEST(Plot, SeriesChooseTheirColorAndStroke) {
  Plot plot = one({0, 1, 2}, {1, 2, 3});
  plot.series[0].stroke = Stroke::faint;
  plot.series.push_back({"", {0, 1, 2}, {3, 2, 1}, 0});
  plot.series.push_back({"", {0, 1, 2}, {2, 2, 2}, {}, Stroke::dotted});
  const auto lines = curves(draw_plot(plot, 400, 300));
  ASSERT_EQ(lines.size(), 3u + 3) << "three lines and three dots";
  const auto rgb = [](const Color& c) { return std::array{c.red, c.green, c.blue}; };
  EXPECT_GT(lines[0].color.red, lines[1].color.red) << "the same color, paler";
  EXPECT_GT(lines[0].color.green, lines[1].color.green);
  EXPECT_NE(rgb(lines[2].color), rgb(lines[1].color));
  for (std::size_t dot = 3; dot < 6; ++dot) {
    EXPECT_EQ(lines[dot].points.size(), 1u);
    EXPECT_EQ(rgb(lines[dot].color), rgb(lines[2].color));
    EXPECT_EQ(lines[dot].points[0], lines[2].points[dot - 3]);
  }
}

TEST(Plot, RefusesSmallSizesAndUnequalSeries) {
  error_of(ErrorKind::usage, [] { draw_plot({}, 149, 300); });
  error_of(ErrorKind::usage, [] { draw_plot({}, 300, -5); });
  Plot plot = one({1, 2}, {1});
  plot.series[0].name = "odd";
  EXPECT_NE(error_of(ErrorKind::usage, [&] { draw_plot(plot, 300, 200); }).find("\"odd\" has 2 x and 1 y"),
            std::string::npos);
}

TEST(Plot, BandsLieBehindTheCurvesAndCountForTheRange) {
  Plot plot{.title = "", .x = {}, .y = {}, .series = {{"y", {0, 1, 2}, {1, 1, 1}}}, .bands = {}};
  plot.bands.push_back({.x = {0, 1, 2}, .low = {0, kNan, -4}, .high = {2, 3, 9}});
  const Drawing drawing = draw_plot(plot, 300, 200);
  std::size_t band = 0, curve = 0;
  for (std::size_t i = 0; i < drawing.shapes.size(); ++i) {
    if (std::holds_alternative<Polygon>(drawing.shapes[i])) band = i;
    if (std::holds_alternative<Polyline>(drawing.shapes[i])) curve = i;
  }
  ASSERT_GT(band, 0u);
  EXPECT_GT(curve, band);
  const auto& points = std::get<Polygon>(drawing.shapes[band]).points;
  EXPECT_EQ(points.size(), 4u);         // there and back, without the gap
  EXPECT_LT(points[1].y, points[2].y);  // 9 is above -4
  EXPECT_EQ(points[1].x, points[2].x);
  EXPECT_GE(points[1].y, 0);
  EXPECT_EQ(render(drawing).width, 300);
  plot.bands[0].low.pop_back();
  error_of(ErrorKind::usage, [&] { draw_plot(plot, 300, 200); });
}

}  // namespace
}  // namespace diffusion
