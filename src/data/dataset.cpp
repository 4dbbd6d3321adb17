#include <diffusion/dataset.h>

#include <fmt/format.h>

#include <utility>

#include <diffusion/error.h>
#include "data/content_hash.h"
#include "data/number_examples.h"
#include "pictures/image_checks.h"

namespace diffusion {

namespace {

class Fnv1a {
 public:
  void add(std::uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }
  void add_little_endian(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) add(std::uint8_t(value >> 8 * i));
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

std::uint64_t captions_hash(const Captions& captions) {
  ContentHash hash;
  for (int i = 0; i < captions.images(); ++i) {
    hash.add(std::uint64_t(captions.count(i)));
    for (std::size_t k = 0; k < captions.count(i); ++k) hash.add(captions.text(i, k));
  }
  return hash.value();
}

}  // namespace

int Dataset::count() const {
  const std::size_t bytes = image_bytes();
  const int stored = numbers ? numbers->count() : bytes == 0 ? 0 : int(pixels.size() / bytes);
  const int whole = chosen.empty() ? stored : int(chosen.size());
  return (whole - first + step - 1) / step;
}

int Dataset::stored_number(int i) const {
  const int number = first + i * step;
  return chosen.empty() ? number : chosen[std::size_t(number)];
}

int Dataset::known_channels() const {
  return numbers ? numbers->known_channels() : 0;
}

std::span<const std::uint8_t> Dataset::image(int i) const {
  if (numbers) throw Error(ErrorKind::internal, fmt::format("{} has no pixels", name));
  return pixels.bytes().subspan(std::size_t(stored_number(i)) * image_bytes(), image_bytes());
}

std::uint64_t Dataset::fingerprint() const {
  Fnv1a hash;
  if (!captions.empty()) hash.add_little_endian(captions_hash(captions), 8);
  for (const int extent : {count(), height, width, channels})
    hash.add_little_endian(std::uint64_t(extent), 8);
  if (content_hash || numbers) {
    hash.add_little_endian(numbers ? numbers->fingerprint() : *content_hash, 8);
    for (const int number : {first, step}) hash.add_little_endian(std::uint64_t(number), 8);
    return hash.value();
  }
  for (int i = 0; i < count(); ++i)
    for (const std::uint8_t pixel : image(i)) hash.add(pixel);
  for (const std::uint16_t label : labels) hash.add_little_endian(label, 2);
  return hash.value();
}

Dataset take_shard(Dataset whole, int n, int k) {
  if (n < 1 || k < 0 || k >= n)
    throw Error(ErrorKind::usage,
                fmt::format("Shard {} of {} does not exist; accepted are 0 to one less than the number of "
                            "shards.",
                            k, n));
  if (n > whole.count())
    throw Error(ErrorKind::usage, fmt::format("{} shards cannot be made of the {} images of {}.", n,
                                              whole.count(), whole.name));
  Dataset shard = std::move(whole);
  shard.first = k;
  shard.step = n;
  shard.captions = shard.captions.every(n, k);
  if (!shard.labels.empty()) {
    std::vector<std::uint16_t> labels;
    for (std::size_t i = std::size_t(k); i < shard.labels.size(); i += std::size_t(n))
      labels.push_back(shard.labels[i]);
    shard.labels = std::move(labels);
  }
  return shard;
}

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

Dataset choose_images(Dataset whole, std::vector<int> numbers) {
  if (!whole.labels.empty()) {
    std::vector<std::uint16_t> labels;
    for (const int number : numbers) labels.push_back(whole.labels[std::size_t(number)]);
    whole.labels = std::move(labels);
  }
  if (!whole.captions.empty()) {
    std::vector<std::vector<std::string>> texts(numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i)
      for (std::size_t k = 0; k < whole.captions.count(numbers[i]); ++k)
        texts[i].emplace_back(whole.captions.text(numbers[i], k));
    whole.captions = Captions(texts);
  }
  if (whole.content_hash) {
    ContentHash hash;
    hash.add(*whole.content_hash);
    for (const int number : numbers) hash.add(std::uint64_t(number));
    whole.content_hash = hash.value();
  }
  whole.chosen = std::move(numbers);
  return whole;
}

}  // namespace diffusion
