#include "data/dataset_table.h"

#include <array>

#include "data/cifar.h"
#include "data/shapes.h"

namespace diffusion {

namespace {

const DatasetEntry* find_in(std::span<const DatasetEntry> table, std::string_view name) {
  for (const DatasetEntry& entry : table)
    if (entry.name == name) return &entry;
  return nullptr;
}

}  // namespace

std::span<const DatasetEntry> dataset_table() {
  static const std::array<DatasetEntry, 4> table{
      DatasetEntry{.name = "fashion-mnist",
                   .class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                                   "Sneaker", "Bag", "Ankle boot"},
                   .form = DatasetForm::idx,
                   .url = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                   .files = {{"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
                             {"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"},
                             {"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"},
                             {"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"}}},
      DatasetEntry{.name = "mnist",
                   .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
                   .form = DatasetForm::idx,
                   .url = "https://ossci-datasets.s3.amazonaws.com/mnist/",
                   .files = {{"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
                             {"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"},
                             {"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"},
                             {"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"}}},
      DatasetEntry{.name = "cifar10",
                   .class_names = {cifar10_class_names().begin(), cifar10_class_names().end()},
                   .form = DatasetForm::cifar10,
                   .url = "https://www.cs.toronto.edu/~kriz/",
                   .files = {{kCifar10Archive, "c32a1d4ab5d03f1284b67883e8d87530"}}},
      DatasetEntry{.name = "shapes",
                   .class_names = {shape_names().begin(), shape_names().end()},
                   .form = DatasetForm::shapes}};
  return table;
}

const DatasetEntry* find_dataset(std::string_view name) {
  return find_in(dataset_table(), name);
}

std::span<const DatasetEntry> series_table() {
  static const std::string ett = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/";
  static const std::array<DatasetEntry, 3> table{
      DatasetEntry{.name = "m4-hourly",
                   .class_names = {},
                   .form = DatasetForm::series,
                   .url = "https://raw.githubusercontent.com/Mcompetitions/M4-methods/master/Dataset/",
                   .files = {{"Hourly-train.csv", "5838f531d0a29ba6aa70a90f72c82686", "Train/"},
                             {"Hourly-test.csv", "d3f313cdb3417c30297ae4beec188266", "Test/"}}},
      DatasetEntry{.name = "etth1",
                   .class_names = {},
                   .form = DatasetForm::series,
                   .url = ett,
                   .files = {{"ETTh1.csv", "8381763947c85f4be6ac456c508460d6"}}},
      DatasetEntry{.name = "etth2",
                   .class_names = {},
                   .form = DatasetForm::series,
                   .url = ett,
                   .files = {{"ETTh2.csv", "51a229a3fc13579dd939364fefe9c7ab"}}}};
  return table;
}

const DatasetEntry* find_series_set(std::string_view name) {
  return find_in(series_table(), name);
}

std::span<const DatasetEntry> sound_table() {
  static const std::array<DatasetEntry, 1> table{
      DatasetEntry{.name = "spoken-digits",
                   .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
                   .form = DatasetForm::sound,
                   .url = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/",
                   .files = {{"v1.0.10.tar.gz", ""}}}};
  return table;
}

const DatasetEntry* find_sound_set(std::string_view name) {
  return find_in(sound_table(), name);
}

}  // namespace diffusion
