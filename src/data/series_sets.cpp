#include "data/series_sets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "data/data_places.h"
#include "data/packed_text.h"
#include "formats/npy_numbers.h"
#include "series/read_series.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostSeriesBytes = std::uint64_t(1) << 30;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// A published file, or a packed copy of it, also under the name of the set: m4-hourly-train.csv.xz.
std::optional<fs::path> find_published(const fs::path& folder, const DatasetEntry& entry,
                                       const PublishedFile& file) {
  std::vector<std::string> names{file.name};
  if (const auto dash = file.name.find('-'); dash != std::string::npos)
    names.push_back(entry.name + file.name.substr(dash));
  for (const std::string& name : names)
    for (const char* packed : {"", ".gz", ".xz"})
      if (fs::path path = folder / (name + packed); is_file(path)) return path;
  return std::nullopt;
}

// Series [T], [N, T] or [N, C, T], named by their numbers from 0: "3", or "3/1".
SeriesTable read_npy_series(const fs::path& path) {
  const NpyArray<double> array = read_npy_numbers(path);
  const std::size_t rank = array.dims.size();
  if (rank < 1 || rank > 3 || array.data.empty())
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} is of the shape ({}); accepted are [T], [N, T] and [N, C, T] with a value or more",
                    path.string(), fmt::join(array.dims, ", ")));
  const auto length = std::size_t(array.dims.back()), channels = rank == 3 ? std::size_t(array.dims[1]) : 1;
  SeriesTable table{path.stem().string(), {}};
  for (std::size_t k = 0; k < array.data.size() / length; ++k) {
    TimeSeries series{rank == 3 ? fmt::format("{}/{}", k / channels, k % channels) : fmt::format("{}", k),
                      {}};
    const auto begin = array.data.begin() + std::ptrdiff_t(k * length);
    series.values.assign(begin, begin + std::ptrdiff_t(length));
    for (std::size_t i = 0; i < length; ++i)
      if (const double value = series.values[i]; !std::isnan(value) && !(std::abs(value) <= kMostValue))
        throw Error(ErrorKind::bad_input,
                    fmt::format("{}, series {}, value {}: {}; accepted is a finite number of at most {:g} in "
                                "size, or NaN for a gap",
                                path.string(), series.id, i, value, kMostValue));
    if (std::ranges::all_of(series.values, [](double value) { return std::isnan(value); }))
      throw Error(ErrorKind::bad_input,
                  fmt::format("{}: the series {} has no value", path.string(), series.id));
    table.series.push_back(std::move(series));
  }
  return table;
}

bool is_npy(const fs::path& path) {
  return path.extension() == ".npy";
}

void check_follows(const SeriesData& data) {
  bool same = data.future->series.size() == data.history.series.size();
  for (std::size_t k = 0; same && k < data.history.series.size(); ++k)
    same = data.future->series[k].id == data.history.series[k].id;
  if (!same)
    throw Error(
        ErrorKind::bad_input,
        fmt::format("the test file of {} has other series than that for training", data.history.name));
}

}  // namespace

SeriesText read_series_text(const fs::path& path) {
  if (is_npy(path))
    throw Error(ErrorKind::usage,
                fmt::format("{} is no text; accepted is a CSV file, whose other cells stay as they are",
                            path.string()),
                {"series"});
  SeriesText file{read_packed_text(path, kMostSeriesBytes), {}, {}};
  file.table = read_series(file.text, path.string(), &file.gaps);
  fs::path name = path.filename();
  while (name.has_extension()) name = name.stem();
  file.table.name = name.string();
  return file;
}

SeriesTable read_series_file(const fs::path& path) {
  return is_npy(path) ? read_npy_series(path) : read_series_text(path).table;
}

SeriesData load_series(const std::string& name_or_path, const DataOptions& options) {
  const DatasetEntry* entry = find_series_set(name_or_path);
  if (!entry) {
    if (is_file(name_or_path)) return {read_series_file(name_or_path), {}};
    std::string names;
    for (const DatasetEntry& known : series_table()) names += known.name + ", ";
    throw Error(
        ErrorKind::usage,
        fmt::format("there are no series \"{}\"; accepted are {}or a file, CSV or .npy", name_or_path, names),
        {"series"});
  }
  SeriesData found;
  const auto read = [&](const fs::path& folder) {
    std::vector<fs::path> paths;
    for (const PublishedFile& file : entry->files)
      if (const auto path = find_published(folder, *entry, file)) paths.push_back(*path);
    if (paths.size() < entry->files.size()) return false;
    found.history = read_series_file(paths.front());
    found.history.name = entry->name;
    if (paths.size() > 1) {
      found.future = read_series_file(paths.back());
      found.future->name = entry->name;
      check_follows(found);
    }
    return true;
  };
  const auto missing = [&](const fs::path& folder) {
    std::vector<PublishedFile> files;
    for (const PublishedFile& file : entry->files)
      if (!find_published(folder, *entry, file)) files.push_back(file);
    return files;
  };
  std::string wanted;
  for (const PublishedFile& file : entry->files) wanted += (wanted.empty() ? "" : " and ") + file.name;
  find_or_download(*entry, options, {wanted + " (or .gz, .xz)", read, missing});
  return found;
}

}  // namespace diffusion
