#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <diffusion/dataset.h>

namespace diffusion {

class FileDescriptor;

// A file that was left out, and why.
struct BrokenFile {
  std::string name, reason;
};

// Where the images of a prepared data set came from.
struct SourceFacts {
  std::vector<std::string>
      names;  // of each image: the path below the folder, or the key in an archive; any bytes
  std::vector<BrokenFile> broken;                    // in the order of the source
  std::array<int, 2> smallest{0, 0}, largest{0, 0};  // height and width of the files, each on its own
};

// A data set that was decoded before. One file, written once:
//   header, pixels [N, H, W, C] from byte 4096, everything else with a hash of it
struct CachedSet {
  Dataset dataset;  // mapped
  SourceFacts facts;
};

// Opens a cache file that was made from this source: `signature` hashes what decides its content. Nothing if
// the file is absent, is for something else, or is damaged: sizes and hashes are checked, those of the pixels
// for all images up to 1 GiB, and for a regular choice of as many in larger files, which opening should not
// read from end to end.
std::optional<CachedSet> open_pixel_cache(const std::filesystem::path& path, std::uint64_t signature);

// Writes a cache file. Until commit() it has a temporary name, and is removed with the object.
class PixelCacheWriter {
 public:
  // Error(io) if the folder cannot be written, or the disk has no room for `expected` images (0: unknown).
  PixelCacheWriter(const std::filesystem::path& path, std::size_t image_bytes, std::int64_t expected);
  ~PixelCacheWriter();
  PixelCacheWriter(const PixelCacheWriter&) = delete;
  PixelCacheWriter& operator=(const PixelCacheWriter&) = delete;

  // Images in any order, from any thread. Error(io).
  void write(std::int64_t index, std::span<const std::uint8_t> image);
  // Copies an image to another place.
  void move(std::int64_t from, std::int64_t to);

  // Completes the file with what `set` says besides pixels, and puts it in its place. `image_hashes` are
  // hash_of() each image; they and the labels make the content hash.
  void commit(const CachedSet& set, std::span<const std::uint64_t> image_hashes, std::uint64_t signature);

 private:
  std::filesystem::path path_, temporary_;
  std::unique_ptr<FileDescriptor> file_;
  std::size_t image_bytes_;
};

}  // namespace diffusion
