#include "eval/image_sets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "io/npy.h"

namespace diffusion {

Dataset dataset_of(std::span<const Image> images, std::string name) {
  if (images.empty()) throw Error(ErrorKind::usage, fmt::format("{} holds no images", name));
  const Image& first = images.front();
  Dataset data{std::move(name), first.height, first.width, first.channels, {}, {}, {}};
  std::vector<std::uint8_t> pixels;
  pixels.reserve(images.size() * first.pixels.size());
  for (const Image& image : images) {
    check_image(image);
    if (image.height != first.height || image.width != first.width || image.channels != first.channels)
      throw Error(
          ErrorKind::usage,
          fmt::format("the images of {} have different sizes or channels; they must agree", data.name));
    pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
  }
  data.pixels = std::move(pixels);
  return data;
}

Dataset read_image_array(const std::filesystem::path& path) {
  NpyArray<std::uint8_t> array = read_npy_uint8(path);
  if (array.dims.size() == 3) array.dims.push_back(1);
  constexpr std::int64_t kMost = std::numeric_limits<int>::max(), kMostSide = 1 << 15;
  const auto& dims = array.dims;
  if (dims.size() != 4 || dims[0] < 1 || dims[0] > kMost || dims[1] < 1 || dims[1] > kMostSide ||
      dims[2] < 1 || dims[2] > kMostSide || dims[3] < 1 || dims[3] > 4)
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} has the shape [{}]; accepted are [N, H, W] and [N, H, W, C] with 1 to 4 channels",
                    path.string(), fmt::join(dims, ", ")));
  return {path.string(), int(dims[1]), int(dims[2]), int(dims[3]), std::move(array.data), {}, {}};
}

Dataset random_images(const Dataset& data, int count, std::uint64_t seed) {
  if (count < 1 || count > data.count())
    throw Error(ErrorKind::usage,
                fmt::format("{} of the {} images of {} were asked for", count, data.count(), data.name));
  Dataset result{data.name, data.height, data.width, data.channels, {}, {}, data.class_names};
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < count; ++i) {
    const auto k = int(permute({seed, Stream::shuffle, 0, 0}, std::uint64_t(i), std::uint64_t(data.count())));
    const auto image = data.image(k);
    pixels.insert(pixels.end(), image.begin(), image.end());
    if (!data.labels.empty()) result.labels.push_back(data.labels[std::size_t(k)]);
  }
  result.pixels = std::move(pixels);
  return result;
}

}  // namespace diffusion
