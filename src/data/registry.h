#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "data/download.h"
#include "data/idx_files.h"
#include "data/prepare.h"

namespace diffusion {

struct DataOptions {
  std::filesystem::path data_dir = {};  // a folder with NAME/ or with the files themselves; empty: search
  Split split = Split::train;
  bool allow_download = true;
  DownloadProgress progress = {};
  PrepareOptions prepare = {};  // the form of the images, and how they are decoded
  int shards = 1, shard = 0;    // only every shards-th image, from number `shard`
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
  std::vector<PublishedFile> files =
      {};  // MD5 sums hold for the published files only, so only downloads are compared
};

// fashion-mnist, mnist, cifar10, shapes.
std::span<const DatasetEntry> dataset_table();
const DatasetEntry* find_dataset(std::string_view name);  // nullptr if there is none

// A data set, and what is known of where it came from.
struct LoadedData {
  Dataset dataset;
  std::string kind;   // "image folder", "tar files", ...
  SourceFacts facts;  // of image folders and tar files; of all images, also of a shard
};

// Loads a data set of the table, or one of the user's by its path:
//   a folder with the four IDX files, or with those of CIFAR-10
//   a folder of images, with a sub-folder for each class or none (image_folder.h); if it holds train/ (and
//     test/
//   or val/) instead, these are the splits
//   tar files: one, a folder of them, or a pattern such as "train-{000..146}.tar" (tar_shards.h)
// A set of the table is looked for in
//   1. options.data_dir; if given, it must have the files, and nothing else is tried,
//   2. the folder named by the environment variable DIFFUSION_DATA_DIR,
//   3. the cache (cache_folder.h), in NAME,
// (1 and 2: in its subfolder NAME, then in the folder itself) and is otherwise downloaded into the cache.
// Only the files of the split are needed. Files found are checked by structure; a download also by its
// published MD5 sum. A folder given by path names its data set; the class names of IDX files are those of the
// table if it is called as a data set there, else numbers. options.data_dir does not matter for it, nor for
// shapes. Images of folders and tar files are decoded once, into the cache.
// Throws Error(usage) for an unknown name and for options that cannot be, Error(bad_input) for missing or
// wrong files, Error(io) for a failed download or a cache that cannot be written.
LoadedData load_data(const std::string& name_or_path, const DataOptions& options);
Dataset load_dataset(const std::string& name_or_path, const DataOptions& options);

// load_dataset() for one row of IDX type, and for CIFAR-10: the whole set as it is published.
Dataset load_idx_set(const DatasetEntry& entry, const DataOptions& options);
Dataset load_cifar10(const DatasetEntry& entry, const DataOptions& options);

}  // namespace diffusion
