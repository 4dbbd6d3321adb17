#pragma once

// The options about data that commands share.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/progress.h"
#include "data/registry.h"

namespace diffusion {

// As given on the command line.
struct DataArguments {
  std::string data_dir, size, background = "white";
  int channels = 0, workers = 0, shards = 1, shard = 0;
  std::int64_t max_broken = 0;
  bool random_crop = false, offline = false;
};

// Adds --data-dir, --offline, --size, --channels, --background, --random-crop, --shards, --shard,
// --max-broken and
// --workers.
void add_data_options(CLI::App& app, DataArguments& arguments);

// The form that is asked for; what is not stays as in `form`. "48x64" is 48 rows by 64 columns, "64" a
// square; "white", "black" or six hexadecimal digits. Error(usage) otherwise.
FormOptions parse_form(const CLI::App& app, const DataArguments& arguments, FormOptions form = {});

// Loads a data set while showing on stderr how far it is. Messages appear there, too.
class DataLoader {
 public:
  // `form`: of the images, where the arguments leave it open.
  DataLoader(const CLI::App& app, const DataArguments& arguments, bool quiet, const FormOptions& form = {});
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
