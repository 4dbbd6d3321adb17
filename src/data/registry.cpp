#include "data/registry.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "data/cifar.h"
#include "data/data_places.h"
#include "data/idx.h"
#include "data/load_path.h"
#include "data/shapes.h"
#include "data/spoken_digits.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr int kShapesTrainCount = 20000, kShapesTestCount = 4000;

Dataset load_shapes(const DataOptions& options) {
  return options.split == Split::train ? make_shapes(kShapesTrainCount, 0) : make_shapes(kShapesTestCount, 1);
}

Dataset load_idx_set(const DatasetEntry& entry, const DataOptions& options) {
  Dataset found;
  const auto read = [&](const fs::path& folder) {
    const auto files = find_idx_files(folder, options.split);
    if (files) found = read_idx_pair(files->images, files->labels, entry.name, entry.class_names);
    return files.has_value();
  };
  const auto missing = [&](const fs::path& folder) {
    std::vector<PublishedFile> files;
    for (const PublishedFile& file : entry.files) {
      const bool wanted = file.name == published_images_name(options.split) ||
                          file.name == published_labels_name(options.split);
      if (wanted && !find_idx_file(folder, file.name)) files.push_back(file);
    }
    return files;
  };
  find_or_download(entry, options, {describe_wanted_files(options.split), read, missing});
  return found;
}

Dataset load_cifar10(const DatasetEntry& entry, const DataOptions& options) {
  Dataset found;
  const auto read = [&](const fs::path& folder) {
    auto images = read_cifar10(folder, options.split);
    if (images) found = std::move(*images);
    return images.has_value();
  };
  const auto missing = [&](const fs::path&) { return entry.files; };  // both splits are in one
  find_or_download(entry, options, {describe_cifar10(options.split), read, missing, &refuse_python_cifar10});
  return found;
}

}  // namespace

Dataset load_published(const DatasetEntry& entry, const DataOptions& options) {
  switch (entry.form) {
    case DatasetForm::idx:
      return load_idx_set(entry, options);
    case DatasetForm::cifar10:
      return load_cifar10(entry, options);
    case DatasetForm::shapes:
    case DatasetForm::series:  // of no row of dataset_table()
    case DatasetForm::sound:
      break;
  }
  return load_shapes(options);
}

LoadedData load_data(const std::string& name_or_path, const DataOptions& options) {
  validate(options.prepare.form);
  if (const DatasetEntry* sound = find_sound_set(name_or_path)) return load_spoken_digits(*sound, options);
  const DatasetEntry* entry = find_dataset(name_or_path);
  if (entry && options.sound_only)
    throw Error(ErrorKind::usage, fmt::format("{} is a set of images, and no sound", name_or_path),
                {"audio"});
  if (!entry) return load_path(name_or_path, options);
  refuse_names(options, name_or_path);
  return {part_in_form(load_published(*entry, options), options), "known data set", {}};
}

Dataset load_dataset(const std::string& name_or_path, const DataOptions& options) {
  return load_data(name_or_path, options).dataset;
}

}  // namespace diffusion
