#include "eval/image_sets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "base/rng.h"
#include "formats/npy.h"
#include "pictures/resize.h"

namespace diffusion {

namespace {

// Letters and digits, in lower case; characters outside ASCII as they are.
std::string simplified(std::string_view name) {
  std::string result;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
    if (upper) result += char(c - 'A' + 'a');
    if (lower || digit || static_cast<unsigned char>(c) >= 0x80) result += c;
  }
  return result;
}

std::optional<std::size_t> class_called(const std::string& name,
                                        const std::vector<std::string>& class_names) {
  for (std::size_t k = 0; k < class_names.size(); ++k)
    if (class_names[k] == name) return k;
  const std::string simple = simplified(name);
  std::optional<std::size_t> found;
  for (std::size_t k = 0; k < class_names.size(); ++k) {
    if (simple.empty() || simplified(class_names[k]) != simple) continue;
    if (found) return std::nullopt;  // it could be either
    found = k;
  }
  for (std::size_t k = 0; k < class_names.size() && !found; ++k)
    if (fmt::format("{}", k) == name) found = k;
  return found;
}

}  // namespace

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

Image image_of(const Dataset& data, int number) {
  const auto bytes = data.image(number);
  return {data.width, data.height, data.channels, {bytes.begin(), bytes.end()}};
}

Dataset some_images(const Dataset& data, std::span<const int> numbers) {
  Dataset result{data.name, data.height, data.width, data.channels, {}, {}, data.class_names};
  std::vector<std::uint8_t> pixels;
  for (const int i : numbers) {
    const auto image = data.image(i);
    pixels.insert(pixels.end(), image.begin(), image.end());
    if (!data.labels.empty()) result.labels.push_back(data.labels[std::size_t(i)]);
  }
  result.pixels = std::move(pixels);
  return result;
}

Dataset resized(const Dataset& data, int height, int width) {
  if (data.height == height && data.width == width) return data;
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < data.count(); ++i) {
    const Image image = resize(image_of(data, i), width, height);
    pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
  }
  return {data.name, height, width, data.channels, std::move(pixels), data.labels, data.class_names};
}

Dataset random_images(const Dataset& data, int count, std::uint64_t seed) {
  if (count < 1 || count > data.count())
    throw Error(ErrorKind::usage,
                fmt::format("{} of the {} images of {} were asked for", count, data.count(), data.name));
  std::vector<int> numbers;
  for (int i = 0; i < count; ++i)
    numbers.push_back(
        int(permute({seed, Stream::shuffle, 0, 0}, std::uint64_t(i), std::uint64_t(data.count()))));
  return some_images(data, numbers);
}

std::optional<std::vector<std::uint16_t>> class_numbers(const std::vector<std::string>& names,
                                                        const std::vector<std::string>& class_names) {
  if (names.empty()) return std::nullopt;
  std::vector<std::uint16_t> numbers;
  for (const std::string& name : names) {
    const std::optional<std::size_t> found = class_called(name, class_names);
    if (!found) return std::nullopt;
    numbers.push_back(std::uint16_t(*found));
  }
  return numbers;
}

std::optional<Dataset> relabeled(Dataset data, const std::vector<std::string>& class_names) {
  const auto numbers = class_numbers(data.class_names, class_names);
  if (!numbers || data.labels.empty()) return std::nullopt;
  for (std::uint16_t& label : data.labels) label = (*numbers)[label];
  data.class_names = class_names;
  return data;
}

}  // namespace diffusion
