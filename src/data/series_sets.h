#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "data/data_options.h"
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

// A CSV file of series, packed or not. Its name, without folder and endings, is that of the table.
SeriesTable read_series_file(const std::filesystem::path& path);

}  // namespace diffusion
