#include "data/dataset.h"

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

}  // namespace

int Dataset::count() const {
  const std::size_t bytes = image_bytes();
  return bytes == 0 ? 0 : int(pixels.size() / bytes);
}

std::span<const std::uint8_t> Dataset::image(int i) const {
  return std::span(pixels).subspan(std::size_t(i) * image_bytes(), image_bytes());
}

std::uint64_t Dataset::fingerprint() const {
  Fnv1a hash;
  for (const int extent : {count(), height, width, channels})
    hash.add_little_endian(std::uint64_t(extent), 8);
  for (const std::uint8_t pixel : pixels) hash.add(pixel);
  for (const std::uint16_t label : labels) hash.add_little_endian(label, 2);
  return hash.value();
}

}  // namespace diffusion
