#pragma once

#include <string>

#include "data/data_options.h"
#include "data/dataset_table.h"

namespace diffusion {

// Loads a data set of the table, or one of the user's by its path:
//   a folder with the four IDX files, or with those of CIFAR-10
//   a folder of images, with a sub-folder for each class or none (image_folder.h); if it holds train/ (and
//   test/ or val/) instead, these are the splits
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

// load_dataset() for one row of the table: the whole set as it is published.
Dataset load_published(const DatasetEntry& entry, const DataOptions& options);

}  // namespace diffusion
