#pragma once

// The options about data that commands share.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "data/registry.h"

namespace diffusion {

// As given on the command line.
struct DataArguments {
  std::string data_dir, size, background = "white", held_out_list;
  int channels = 0, workers = 0, shards = 1, shard = 0;
  std::int64_t max_broken = 0;
  bool random_crop = false, offline = false;
};

// As given on the command line: none, own, or a file.
struct CaptionArguments {
  std::string captions = "none";
  std::vector<std::string> columns;
  std::int64_t max_uncaptioned = 0;
};

// Adds --captions, --caption-column and --max-uncaptioned.
void add_caption_options(CLI::App& app, CaptionArguments& arguments);
// Error(usage) for --caption-column and --max-uncaptioned without captions.
CaptionOptions parse_captions(const CLI::App& app, const CaptionArguments& arguments);

// Adds --data-dir, --offline, --size, --channels, --background, --random-crop, --held-out-list, --shards,
// --shard, --max-broken and --workers.
void add_data_options(CLI::App& app, DataArguments& arguments);

// The form that is asked for; what is not stays as in `form`. "48x64" is 48 rows by 64 columns, "64" a
// square; "white", "black" or six hexadecimal digits. Error(usage) otherwise.
FormOptions parse_form(const CLI::App& app, const DataArguments& arguments, FormOptions form = {});

// Loads a data set while showing on stderr how far it is. Messages appear there, too.
class DataLoader {
 public:
  // `form`: of the images, where the arguments leave it open.
  DataLoader(const CLI::App& app, const DataArguments& arguments, bool quiet, const FormOptions& form = {});
  // The data sets that are loaded from now on have captions.
  void take(const CaptionOptions& captions) { options_.captions = captions; }
  // They are sounds, whatever else their folder holds; or images of any kind.
  void take_sound_only(bool sound_only) { options_.sound_only = sound_only; }
  // The form of the pictures of sounds.
  void take(const MelForm& mel) { options_.prepare.mel = mel; }
  // Test images are those of the whole set, whatever --shards says.
  LoadedData load(const std::string& name_or_path, Split split = Split::train);

 private:
  void show(const std::string& title, std::int64_t done, std::int64_t total, const char* unit);

  DataOptions options_;
  bool quiet_;
  std::string shown_;
  std::unique_ptr<Progress> progress_;
};

// What --data accepts, for help texts.
std::string data_help();

}  // namespace diffusion
