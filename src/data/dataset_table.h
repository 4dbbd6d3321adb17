#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diffusion {

struct PublishedFile {
  std::string name;
  std::string md5;
  std::string folder = {};  // below that of the data set, with the final slash
};

// How a published set comes; registry.cpp has a load function for each.
enum class DatasetForm { idx, cifar10, shapes, series, sound };

// One row of a table of data sets. A new data set is a row (and, if it comes in a new form, a load
// function).
struct DatasetEntry {
  std::string name;
  std::vector<std::string> class_names;
  DatasetForm form;
  std::string url = {};  // the folder of the published files, with the final slash
  // MD5 sums hold for the published files only, so only downloads are compared. None: who reads the files
  // compares their content.
  std::vector<PublishedFile> files = {};
};

// fashion-mnist, mnist, cifar10, shapes.
std::span<const DatasetEntry> dataset_table();
const DatasetEntry* find_dataset(std::string_view name);  // nullptr if there is none

// Sets of series, in a table of their own: m4-hourly, etth1, etth2. series_sets.h reads them.
std::span<const DatasetEntry> series_table();
const DatasetEntry* find_series_set(std::string_view name);  // nullptr if there is none

// Sets of sounds, too: spoken-digits. spoken_digits.h reads it.
std::span<const DatasetEntry> sound_table();
const DatasetEntry* find_sound_set(std::string_view name);  // nullptr if there is none

}  // namespace diffusion
