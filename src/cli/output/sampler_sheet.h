#pragma once

// The picture of `diffusion compare-samplers` and `diffusion eval --neighbors`: a table of pictures with
// titles.

#include <span>
#include <string>
#include <vector>

#include <diffusion/image.h>

namespace diffusion {

struct SheetCell {
  Image picture;                      // RGB
  std::vector<std::string> captions;  // lines below it
};

struct SheetRow {
  std::string title;
  std::string note;              // below the title, smaller
  std::vector<SheetCell> cells;  // at most as many as there are columns
};

// A headline, titles of columns, and rows with their titles at the left, on white. Pictures are of one size.
// Error(usage) if the whole is larger than kMaxPixels.
Image draw_sheet(const std::string& headline, std::span<const std::string> columns,
                 std::span<const SheetRow> rows);

}  // namespace diffusion
