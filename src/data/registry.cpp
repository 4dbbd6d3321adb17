#include "data/registry.h"

#include <fmt/format.h>

#include <array>

#include "data/cifar.h"
#include "data/data_places.h"
#include "data/idx.h"
#include "data/load_path.h"
#include "data/shapes.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr int kShapesTrainCount = 20000, kShapesTestCount = 4000;

Dataset load_shapes(const DatasetEntry&, const DataOptions& options) {
  return options.split == Split::train ? make_shapes(kShapesTrainCount, 0) : make_shapes(kShapesTestCount, 1);
}

}  // namespace

std::span<const DatasetEntry> dataset_table() {
  static const std::array<DatasetEntry, 4> table{
      DatasetEntry{.name = "fashion-mnist",
                   .class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                                   "Sneaker", "Bag", "Ankle boot"},
                   .load = &load_idx_set,
                   .url = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                   .files = {{"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
                             {"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"},
                             {"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"},
                             {"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"}}},
      DatasetEntry{.name = "mnist",
                   .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
                   .load = &load_idx_set,
                   .url = "https://ossci-datasets.s3.amazonaws.com/mnist/",
                   .files = {{"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
                             {"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"},
                             {"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"},
                             {"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"}}},
      DatasetEntry{.name = "cifar10",
                   .class_names = {cifar10_class_names().begin(), cifar10_class_names().end()},
                   .load = &load_cifar10,
                   .url = "https://www.cs.toronto.edu/~kriz/",
                   .files = {{kCifar10Archive, "c32a1d4ab5d03f1284b67883e8d87530"}}},
      DatasetEntry{.name = "shapes",
                   .class_names = {shape_names().begin(), shape_names().end()},
                   .load = &load_shapes}};
  return table;
}

const DatasetEntry* find_dataset(std::string_view name) {
  for (const DatasetEntry& entry : dataset_table())
    if (entry.name == name) return &entry;
  return nullptr;
}

Dataset load_idx_set(const DatasetEntry& entry, const DataOptions& options) {
  const auto read = [&](const fs::path& folder) -> std::optional<Dataset> {
    const auto files = find_idx_files(folder, options.split);
    if (!files) return std::nullopt;
    return read_idx_pair(files->images, files->labels, entry.name, entry.class_names);
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
  return find_or_download(entry, options, {describe_wanted_files(options.split), read, missing});
}

Dataset load_cifar10(const DatasetEntry& entry, const DataOptions& options) {
  const auto read = [&](const fs::path& folder) { return read_cifar10(folder, options.split); };
  const auto missing = [&](const fs::path&) { return entry.files; };  // both splits are in one
  return find_or_download(entry, options,
                          {describe_cifar10(options.split), read, missing, &refuse_python_cifar10});
}

LoadedData load_data(const std::string& name_or_path, const DataOptions& options) {
  validate(options.prepare.form);
  const DatasetEntry* entry = find_dataset(name_or_path);
  if (!entry) return load_path(name_or_path, options);
  return {part_in_form(entry->load(*entry, options), options), "known data set", {}};
}

Dataset load_dataset(const std::string& name_or_path, const DataOptions& options) {
  return load_data(name_or_path, options).dataset;
}

}  // namespace diffusion
