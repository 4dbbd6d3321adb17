#pragma once

#include <array>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/download.h"
#include "data/idx_files.h"

namespace diffusion {

struct DataOptions {
  std::filesystem::path data_dir;  // a folder with NAME/ or with the files themselves; empty: search
  Split split = Split::train;
  bool allow_download = true;
  DownloadProgress progress = {};
};

struct PublishedFile {
  std::string name;
  std::string md5;
};

// One row of the table of data sets. A new data set is a row (and, if it comes in a new form, a load
// function).
struct DatasetEntry {
  std::string name;
  std::vector<std::string> class_names;
  Dataset (*load)(const DatasetEntry& entry, const DataOptions& options);
  std::string url = {};  // the folder of the published files, with the final slash
  std::array<PublishedFile, 4> files =
      {};  // MD5 sums hold for the published files only, so only downloads are compared
};

// fashion-mnist, mnist, shapes.
std::span<const DatasetEntry> dataset_table();

// Loads a data set of the table, or the four IDX files of an existing folder. An IDX set is looked for in
//   1. options.data_dir; if given, it must have the files, and nothing else is tried,
//   2. the folder named by the environment variable DIFFUSION_DATA_DIR,
//   3. the user's cache, $XDG_CACHE_HOME/diffusion/NAME or ~/.cache/diffusion/NAME,
// (1 and 2: in its subfolder NAME, then in the folder itself) and is otherwise downloaded into the cache.
// Only the two files of the split are needed. Files found are checked by structure; a download also by its
// published MD5 sum. A folder given by path names its data set; its class names are those of the table if it
// is called as a data set there, else numbers. options.data_dir does not matter for it, nor for shapes.
// Throws Error(usage) for an unknown name, Error(bad_input) for missing or wrong files, Error(io) for a
// failed download.
Dataset load_dataset(const std::string& name_or_path, const DataOptions& options);

// load_dataset() for one row of IDX type.
Dataset load_idx_set(const DatasetEntry& entry, const DataOptions& options);

}  // namespace diffusion
