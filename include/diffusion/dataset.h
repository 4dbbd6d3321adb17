#pragma once

// Images to train on, or to compare with.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <diffusion/captions.h>
#include <diffusion/image.h>
#include <diffusion/pixel_store.h>

namespace diffusion {

class NumberExamples;  // the library's own

// Images of one size, 8 bits a channel, in memory or in a mapped file; with labels or without. Or examples
// [C, H, W] of numbers.
struct Dataset {
  std::string name;
  int height = 0, width = 0, channels = 0;
  PixelStore pixels;                     // [stored, H, W, C]
  std::vector<std::uint16_t> labels;     // empty, or N indices into class_names
  std::vector<std::string> class_names;  // empty when there are no labels

  // Rows and columns more than an example for training has, which is then a window at a random place
  // (--random-crop).
  std::array<int, 2> margin{0, 0};
  // Image i is number first + i * step of the set that this is a shard of.
  int first = 0, step = 1;
  // That set, if it is not all of `pixels`: the numbers of its images there, at least one, rising.
  std::vector<int> chosen = {};
  // Of all pixels and labels, where that is known already: the cache of an image folder.
  std::optional<std::uint64_t> content_hash = {};
  // Of images 0 to count() - 1, or of none: a data set without words.
  Captions captions = {};
  // Examples of numbers; then there are no pixels, and no margin.
  std::shared_ptr<const NumberExamples> numbers = {};

  int count() const;
  // Where image i is among all that are stored in `pixels`.
  int stored_number(int i) const;
  // The H * W * C bytes of image i, 0 <= i < count(). Error(internal) where there are numbers.
  std::span<const std::uint8_t> image(int i) const;

  int example_height() const { return height - margin[0]; }
  int example_width() const { return width - margin[1]; }
  // Channels of what a network is told of an example beside its noisy numbers; 0: nothing.
  int known_channels() const;

  // A 64-bit FNV-1a hash of count, height, width, channels, pixels and labels (little-endian), the same on
  // every machine; where there is a content_hash, of that, first and step; where there are captions, of
  // them, too. A resumed training run compares it to see that the data are still the same, in the same order.
  std::uint64_t fingerprint() const;

 private:
  std::size_t image_bytes() const { return std::size_t(height) * std::size_t(width) * std::size_t(channels); }
};

// The images k, k + n, k + 2n, ... of a whole set: shard k of n, 0 <= k < n. The pixels are shared, not
// copied. Error(usage) for other numbers, and for more shards than images.
Dataset take_shard(Dataset whole, int n, int k);

// The images of a whole set with these numbers, which rise; at least one. The pixels are shared.
Dataset choose_images(Dataset whole, std::vector<int> numbers);

// The images as a data set of that name, without labels. Error(usage) for none, and for images of different
// sizes or channels.
Dataset dataset_of(std::span<const Image> images, std::string name);

enum class Split { train, test };

// The form that images of any size and kind are brought into; what is left open, the images decide.
struct FormOptions {
  std::optional<std::array<int, 2>> size =
      {};                            // height, width; open: the size of the images, if they have one size
  std::optional<int> channels = {};  // 1, 3 or 4; open: 1 if all images are gray, else 3
  std::array<std::uint8_t, 3> background{255, 255, 255};
  // Images an eighth larger than the size, of which training shows a window at a random place
  // (Dataset::margin).
  bool random_crop = false;

  bool operator==(const FormOptions&) const = default;
};

// Loads one split of a data set: by its name, as "fashion-mnist", which is downloaded into the cache if it is
// nowhere; or a folder of images, with a sub-folder for each class or none, tar files, or a folder of IDX or
// CIFAR-10 files, by path. docs/data.md says more. Images of folders and tar files are decoded once, into the
// cache. Error(usage) for an unknown name and for options that cannot be, Error(bad_input) for missing or
// wrong files, Error(io) for a failed download or a cache that cannot be written.
Dataset load_images(const std::string& name_or_path, const FormOptions& form = {},
                    Split split = Split::train);

}  // namespace diffusion
