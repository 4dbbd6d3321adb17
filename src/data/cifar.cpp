#include "data/cifar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "data/archive.h"
#include "files/fs.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

constexpr int kSide = 32, kChannels = 3;
constexpr std::size_t kPlane = std::size_t(kSide) * kSide, kImageBytes = kPlane * kChannels,
                      kRecordBytes = 1 + kImageBytes;
constexpr std::array<std::string_view, 4> kPythonNames{"cifar-10-python.tar.gz", "cifar-10-batches-py",
                                                       "data_batch_1", "test_batch"};

std::vector<std::string> file_names(Split split) {
  if (split == Split::test) return {"test_batch.bin"};
  std::vector<std::string> names;
  for (int i = 1; i <= 5; ++i) names.push_back(fmt::format("data_batch_{}.bin", i));
  return names;
}

// The files of a split put together, in whatever order they come.
class Batches {
 public:
  Batches(Split split, std::size_t images_per_file)
      : names_(file_names(split)),
        found_(names_.size(), false),
        images_per_file_(images_per_file),
        pixels_(names_.size() * images_per_file * kImageBytes),
        labels_(names_.size() * images_per_file) {}

  std::span<const std::string> names() const { return names_; }
  std::size_t file_bytes() const { return images_per_file_ * kRecordBytes; }

  void add(std::size_t file, std::span<const std::byte> bytes, const std::string& source);
  // Error(bad_input) if a file was not in `source`.
  Dataset finish(const fs::path& source) &&;

 private:
  std::vector<std::string> names_;
  std::vector<bool> found_;
  std::size_t images_per_file_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::uint16_t> labels_;
};

void Batches::add(std::size_t file, std::span<const std::byte> bytes, const std::string& source) {
  if (found_[file]) throw Error(ErrorKind::bad_input, fmt::format("{} is there twice.", source));
  if (bytes.size() != file_bytes())
    throw Error(ErrorKind::bad_input,
                fmt::format("{} has {} bytes; a file of CIFAR-10 has exactly {}: {} records of {}.", source,
                            bytes.size(), file_bytes(), images_per_file_, kRecordBytes));
  found_[file] = true;
  for (std::size_t i = 0; i < images_per_file_; ++i) {
    const auto record = bytes.subspan(i * kRecordBytes, kRecordBytes);
    const auto label = std::to_integer<std::uint16_t>(record[0]);
    const std::size_t index = file * images_per_file_ + i;
    if (label >= cifar10_class_names().size())
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} has the label {} in record {}; accepted are 0 to 9.", source, label, i));
    labels_[index] = label;
    std::uint8_t* out = pixels_.data() + index * kImageBytes;
    for (std::size_t p = 0; p < kPlane; ++p)
      for (std::size_t c = 0; c < kChannels; ++c)
        *out++ = std::to_integer<std::uint8_t>(record[1 + c * kPlane + p]);
  }
}

Dataset Batches::finish(const fs::path& source) && {
  for (std::size_t file = 0; file < names_.size(); ++file)
    if (!found_[file])
      throw Error(ErrorKind::bad_input, fmt::format("{} lacks the file {}.", source.string(), names_[file]));
  Dataset dataset{"cifar10", kSide, kSide, kChannels, std::move(pixels_), std::move(labels_), {}};
  dataset.class_names.assign(cifar10_class_names().begin(), cifar10_class_names().end());
  return dataset;
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}  // namespace

std::span<const std::string> cifar10_class_names() {
  static const std::array<std::string, 10> names{"airplane", "automobile", "bird",  "cat",  "deer",
                                                 "dog",      "frog",       "horse", "ship", "truck"};
  return names;
}

std::optional<Dataset> read_cifar10(const fs::path& folder, Split split, std::size_t images_per_file) {
  for (const fs::path& place : {folder, folder / "cifar-10-batches-bin"}) {
    if (!is_file(place / file_names(split).front())) continue;
    Batches batches(split, images_per_file);
    for (std::size_t file = 0; file < batches.names().size(); ++file) {
      const fs::path path = place / batches.names()[file];
      if (!is_file(path)) break;  // finish() will name it
      // A little more, so that a file that is longer is told its size.
      batches.add(file, read_file(path, 2 * batches.file_bytes()), path.string());
    }
    return std::move(batches).finish(place);
  }
  if (is_file(folder / kCifar10Archive))
    return read_cifar10_archive(folder / kCifar10Archive, split, images_per_file);
  return std::nullopt;
}

Dataset read_cifar10_archive(const fs::path& archive, Split split, std::size_t images_per_file) {
  Batches batches(split, images_per_file);
  TarReader tar(archive);
  while (tar.next()) {
    const std::string name = fs::path(tar.name()).filename().string();
    for (std::size_t file = 0; file < batches.names().size(); ++file)
      if (name == batches.names()[file])
        batches.add(file, tar.read(2 * batches.file_bytes()),
                    fmt::format("{} in {}", tar.name(), archive.string()));
  }
  return std::move(batches).finish(archive);
}

void refuse_python_cifar10(const fs::path& folder) {
  for (const std::string_view name : kPythonNames) {
    std::error_code ignored;
    if (fs::exists(folder / name, ignored)) refuse_python_cifar10_file(folder / name);
  }
}

void refuse_python_cifar10_file(const fs::path& path) {
  if (std::ranges::count(kPythonNames, path.filename().string()) == 0) return;
  throw Error(
      ErrorKind::bad_input,
      fmt::format(
          "{} is the Python version of CIFAR-10 (pickles), which is not read; get the binary version, "
          "{}, from https://www.cs.toronto.edu/~kriz/{} and put it into {}.",
          path.string(), kCifar10Archive, kCifar10Archive, path.parent_path().string()));
}

std::string describe_cifar10(Split split) {
  return fmt::format("{}, or the folder cifar-10-batches-bin or the .bin files in it ({})", kCifar10Archive,
                     split == Split::train ? "data_batch_1.bin to data_batch_5.bin" : "test_batch.bin");
}

}  // namespace diffusion
