#include "cli/output/sampler_sheet.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "drawing/drawing.h"

namespace diffusion {

namespace {

constexpr double kHeadlineSize = 15, kTitleSize = 15, kNoteSize = 11, kCaptionSize = 11;
constexpr int kMargin = 16, kColumnGap = 16, kRowGap = 18, kTitleGap = 14, kCaptionLine = 15;
constexpr Color kRule{225, 225, 225};

// `piece` with its upper left corner at (left, top). Both RGB.
void paste(Image& sheet, const Image& piece, int left, int top) {
  const auto row = std::ptrdiff_t(3) * piece.width;
  for (int y = 0; y < piece.height; ++y)
    std::copy_n(piece.pixels.begin() + y * row, row,
                sheet.pixels.begin() + 3 * (std::ptrdiff_t(top + y) * sheet.width + left));
}

// Where everything is, in pixels.
struct Layout {
  int column_width = 0, first_column = 0, first_row = 0;
  std::vector<int> row_tops;
  int width = 0, height = 0;

  int left_of(std::size_t column) const { return first_column + int(column) * (column_width + kColumnGap); }
  double center_of(std::size_t column) const { return left_of(column) + column_width / 2.0; }
};

Layout layout_of(const std::string& headline, std::span<const std::string> columns,
                 std::span<const SheetRow> rows) {
  Layout layout;
  double titles = 0, cells = 0;
  for (const std::string& column : columns) cells = std::max(cells, text_width(column, kTitleSize));
  for (const SheetRow& row : rows) {
    titles = std::max({titles, text_width(row.title, kTitleSize), text_width(row.note, kNoteSize)});
    for (const SheetCell& cell : row.cells) {
      cells = std::max(cells, double(cell.picture.width));
      for (const std::string& caption : cell.captions)
        cells = std::max(cells, text_width(caption, kCaptionSize));
    }
  }
  layout.column_width = int(std::ceil(cells));
  layout.first_column = kMargin + int(std::ceil(titles)) + kTitleGap;
  layout.first_row = kMargin + int(kHeadlineSize) + kTitleGap + int(kTitleSize) + 2 * kTitleGap;
  int top = layout.first_row;
  for (const SheetRow& row : rows) {
    layout.row_tops.push_back(top);
    int height = 2 * kCaptionLine;
    for (const SheetCell& cell : row.cells)
      height = std::max(height, cell.picture.height + 4 + int(cell.captions.size()) * kCaptionLine);
    top += height + kRowGap;
  }
  const int headline_end = kMargin + int(std::ceil(text_width(headline, kHeadlineSize)));
  layout.width =
      std::max(headline_end, layout.left_of(columns.size()) - (columns.empty() ? 0 : kColumnGap)) + kMargin;
  layout.height = top - kRowGap + kMargin;
  return layout;
}

}  // namespace

Image draw_sheet(const std::string& headline, std::span<const std::string> columns,
                 std::span<const SheetRow> rows) {
  const Layout layout = layout_of(headline, columns, rows);
  Drawing drawing{layout.width, layout.height, {}};
  double baseline = kMargin + kHeadlineSize;
  drawing.shapes.emplace_back(Text{{double(kMargin), baseline}, headline, kHeadlineSize});
  baseline += kTitleGap + kTitleSize;
  for (std::size_t column = 0; column < columns.size(); ++column)
    drawing.shapes.emplace_back(
        Text{{layout.center_of(column), baseline}, columns[column], kTitleSize, Anchor::center});
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const double top = layout.row_tops[r], rule = top - kRowGap / 2.0;
    drawing.shapes.emplace_back(
        Polyline{{{double(kMargin), rule}, {double(layout.width - kMargin), rule}}, kRule, 1});
    drawing.shapes.emplace_back(Text{{double(kMargin), top + kTitleSize}, rows[r].title, kTitleSize});
    drawing.shapes.emplace_back(
        Text{{double(kMargin), top + kTitleSize + 1.5 * kNoteSize}, rows[r].note, kNoteSize});
    for (std::size_t column = 0; column < rows[r].cells.size(); ++column) {
      const SheetCell& cell = rows[r].cells[column];
      double line = top + cell.picture.height + 4;
      for (const std::string& caption : cell.captions)
        drawing.shapes.emplace_back(Text{
            {layout.center_of(column), line += kCaptionLine - 2}, caption, kCaptionSize, Anchor::center});
    }
  }
  Image sheet = render(drawing);
  for (std::size_t r = 0; r < rows.size(); ++r)
    for (std::size_t column = 0; column < rows[r].cells.size(); ++column) {
      const Image& picture = rows[r].cells[column].picture;
      paste(sheet, picture, layout.left_of(column) + (layout.column_width - picture.width) / 2,
            layout.row_tops[r]);
    }
  return sheet;
}

}  // namespace diffusion
