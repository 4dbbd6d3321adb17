#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/data_options.h"
#include "series/read_series.h"
#include "series/series.h"

namespace diffusion {

// Series to learn from, and what came after them, if it is kept apart.
struct SeriesData {
  SeriesTable history;
  std::optional<SeriesTable> future;  // of the same series, in the same order; it begins where they end
};

// A set of series_table() by its name, looked for and downloaded as load_data() does it (in a subfolder
// "series", too, and with .gz or .xz behind the names of its files), or a CSV file by its path, packed or
// not. Of `options` only what says where data lie matters. Error(usage) for an unknown name, else as
// load_data() and read_series().
SeriesData load_series(const std::string& name_or_path, const DataOptions& options);

// A CSV file of series as it is, unpacked, and what is missing in it. Error(usage) for a .npy file.
struct SeriesText {
  std::string text;
  SeriesTable table;
  std::vector<GapCell> gaps;
};
SeriesText read_series_text(const std::filesystem::path& path);

// CSV, packed or not, or .npy, [T], [N, T] or [N, C, T] with NaN for gaps. The table is called as the file.
SeriesTable read_series_file(const std::filesystem::path& path);

}  // namespace diffusion
