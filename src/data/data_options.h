#pragma once

// What load_data() of registry.h can be asked for, and what it gives.

#include <filesystem>
#include <string>

#include <diffusion/dataset.h>
#include "data/download.h"
#include "data/idx_files.h"
#include "data/pixel_cache.h"
#include "data/prepare_captions.h"
#include "data/sample_source.h"

namespace diffusion {

struct DataOptions {
  std::filesystem::path data_dir = {};  // a folder with NAME/ or with the files themselves; empty: search
  Split split = Split::train;
  bool allow_download = true;
  DownloadProgress progress = {};
  PrepareOptions prepare = {};  // the form of the images, and how they are decoded
  CaptionOptions captions = {};
  // A list of images (held_out_list.h) that are the test split; all others are the training split, also
  // where the data have a test split of their own. Empty: none.
  std::filesystem::path held_out_list = {};
  bool sound_only = false;    // a folder is one of sounds, whatever else it holds
  int shards = 1, shard = 0;  // only every shards-th image, from number `shard`
};

// A data set, and what is known of where it came from.
struct LoadedData {
  Dataset dataset;
  std::string kind;                 // "image folder", "tar files", ...
  SourceFacts facts;                // of image folders and tar files; of all images, also of a shard
  std::optional<MelForm> mel = {};  // the images are pictures of sound, and this is what they show
};

}  // namespace diffusion
