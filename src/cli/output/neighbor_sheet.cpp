#include "cli/output/neighbor_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/output/sampler_sheet.h"
#include "pictures/resize.h"

namespace diffusion {

namespace {

constexpr int kLeastSide = 56, kMostSide = 128;  // of a picture in the sheet

// RGB, of a size to look at.
Image picture_of(const Dataset& data, int i) {
  const std::span<const std::uint8_t> bytes = data.image(i);
  const Image stored{data.width, data.height, data.channels, {bytes.begin(), bytes.end()}};
  const Image rgb = to_channels(stored, 3, {255, 255, 255});
  const int side = std::max(rgb.width, rgb.height);
  if (side > kMostSide)
    return resize(rgb, std::max(1, rgb.width * kMostSide / side), std::max(1, rgb.height * kMostSide / side));
  return enlarge(rgb, std::max(1, kLeastSide / side));
}

SheetRow row_of(const NeighborSheet& sheet, int sample, const char* title) {
  const Dataset& samples = sheet.samples;
  SheetRow row{title, "", {{picture_of(samples, sample), {fmt::format("number {}", sample)}}}};
  if (!samples.labels.empty()) row.note = samples.class_names[samples.labels[std::size_t(sample)]];
  for (const Neighbor& n : sheet.pixels.of(sample))
    row.cells.push_back({picture_of(sheet.searched, n.index), {fmt::format("{:.0f}", n.distance)}});
  for (const Neighbor& n : sheet.features.of(sample))
    row.cells.push_back({picture_of(sheet.searched, n.index), {fmt::format("{:.3g}", n.distance)}});
  return row;
}

}  // namespace

Image draw_neighbors(const NeighborSheet& sheet) {
  std::vector<std::string> columns{"sample"};
  for (int k = 1; k <= sheet.pixels.k; ++k) columns.push_back(fmt::format("pixels {}", k));
  for (int k = 1; k <= sheet.features.k; ++k) columns.push_back(fmt::format("features {}", k));
  const ShownSamples shown = samples_to_show(sheet.pixels, sheet.features);
  std::vector<SheetRow> rows;
  for (const int i : shown.closest_in_pixels) rows.push_back(row_of(sheet, i, "closest in pixels"));
  for (const int i : shown.closest_in_features) rows.push_back(row_of(sheet, i, "closest in features"));
  for (const int i : shown.typical) rows.push_back(row_of(sheet, i, "typical"));
  const Image picture = draw_sheet(sheet.headline, columns, rows);
  return sheet.searched.channels <= 2 ? to_channels(picture, 1, {255, 255, 255}) : picture;
}

}  // namespace diffusion
