#pragma once

// Outputs of many pictures, written as they are made, so that memory does not limit their number.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include "cli/output/picture_output.h"
#include "files/fs.h"
#include "formats/npy_writer.h"

namespace diffusion {

// .npy, uint8 [N, H, W, C], or a directory with a PNG each. What is new appears at commit() and not before;
// in a directory that exists pictures appear one by one, each whole, and replace files of their name.
class PictureStream {
 public:
  // For `count` pictures of that width, height and channels; form npy or directory.
  PictureStream(const PictureOutput& output, std::int64_t count, int width, int height, int channels);

  // `name` is that of the PNG, without extension. Pictures of an array must have the size given.
  void append(const Image& picture, const std::string& name);
  void commit();

 private:
  std::filesystem::path folder_;            // where PNGs are written
  std::unique_ptr<AtomicDirectory> fresh_;  // if it did not exist
  std::optional<NpyWriter> array_;
};

// All at once; pictures have one size, and names[k] is that of pictures[k].
void write_pictures(const PictureOutput& output, std::span<const Image> pictures,
                    std::span<const std::string> names);

// A file that will be written, without what it replaces.
struct PlannedFile {
  std::filesystem::path path;
  std::uint64_t bytes;
};

// Before the work: Error(io) that names file and bytes if a disk has no room for the files, and a line on
// stderr if they take a gigabyte or more.
void check_disk_space(std::span<const PlannedFile> files);

}  // namespace diffusion
