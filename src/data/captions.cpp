
#include <diffusion/captions.h>
#include <limits>
#include <utility>

#include "base/rng.h"

namespace diffusion {

namespace {

constexpr std::size_t kNumberBytes = 8;

std::uint64_t load(const std::uint8_t* bytes) {  // little-endian on every machine
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < kNumberBytes; ++i) number |= std::uint64_t(bytes[i]) << 8 * i;
  return number;
}

void append(std::vector<std::uint8_t>& bytes, std::uint64_t number) {
  for (std::size_t i = 0; i < kNumberBytes; ++i) bytes.push_back(std::uint8_t(number >> 8 * i));
}

// `count` + 1 numbers that begin with 0, end with `last` and never fall.
bool are_bounds(const std::uint8_t* numbers, std::uint64_t count, std::uint64_t last) {
  std::uint64_t before = 0;
  for (std::uint64_t i = 0; i <= count; ++i) {
    const std::uint64_t number = load(numbers + i * kNumberBytes);
    if (number < before || (i == 0 && number != 0)) return false;
    before = number;
  }
  return before == last;
}

}  // namespace

Captions::Captions(std::span<const std::vector<std::string>> texts) : images_(int(texts.size())) {
  std::size_t count = 0;
  for (const auto& of_image : texts) count += of_image.size();
  std::vector<std::uint8_t> bytes;
  bytes.reserve((2 + texts.size() + 1 + count + 1) * kNumberBytes);
  append(bytes, texts.size());
  append(bytes, count);
  std::uint64_t captions = 0, characters = 0;
  append(bytes, captions);
  for (const auto& of_image : texts) append(bytes, captions += of_image.size());
  append(bytes, characters);
  for (const auto& of_image : texts)
    for (const std::string& text : of_image) append(bytes, characters += text.size());
  for (const auto& of_image : texts)
    for (const std::string& text : of_image) bytes.insert(bytes.end(), text.begin(), text.end());
  store_ = PixelStore(std::move(bytes));
}

std::optional<Captions> Captions::from_bytes(PixelStore store) {
  const std::span<const std::uint8_t> bytes = store.bytes();
  const std::uint64_t words = bytes.size() / kNumberBytes;
  if (words < 4) return std::nullopt;
  const std::uint64_t images = load(bytes.data()), count = load(bytes.data() + kNumberBytes);
  if (images > std::uint64_t(std::numeric_limits<int>::max()) || images > words - 4 ||
      count > words - 4 - images)
    return std::nullopt;
  const std::uint8_t* const of_images = bytes.data() + 2 * kNumberBytes;
  const std::uint8_t* const of_captions = of_images + (images + 1) * kNumberBytes;
  const std::uint64_t texts_begin = (4 + images + count) * kNumberBytes;
  if (!are_bounds(of_images, images, count) || !are_bounds(of_captions, count, bytes.size() - texts_begin))
    return std::nullopt;
  Captions captions;
  captions.store_ = std::move(store);
  captions.images_ = int(images);
  return captions;
}

std::size_t Captions::number(std::size_t place) const {
  return std::size_t(load(store_.bytes().data() + place * kNumberBytes));
}

std::size_t Captions::count(int i) const {
  const std::size_t image = first_ + std::size_t(i) * step_;
  return number(2 + image + 1) - number(2 + image);
}

std::string_view Captions::text(int i, std::size_t k) const {
  const std::size_t images = number(0), captions = number(1);
  const std::size_t caption = number(2 + first_ + std::size_t(i) * step_) + k;
  const std::size_t begin = number(3 + images + caption), end = number(3 + images + caption + 1);
  const auto text = store_.bytes().subspan((4 + images + captions) * kNumberBytes + begin, end - begin);
  return {reinterpret_cast<const char*>(text.data()), text.size()};
}

Captions Captions::every(int n, int k) const {
  Captions part = *this;
  part.images_ = images_ <= k ? 0 : (images_ - k + n - 1) / n;
  part.first_ = first_ + std::size_t(k) * step_;
  part.step_ = step_ * std::size_t(n);
  return part;
}

std::string_view caption_of(const Captions& captions, int i, const CaptionDraw& draw) {
  const auto key = [&](Stream stream) { return RandomKey{draw.seed, stream, draw.number, draw.step}; };
  const std::size_t count = captions.empty() ? 0 : captions.count(i);
  if (count == 0 || uniform(key(Stream::caption_drop)) < draw.dropout) return {};
  return captions.text(i, uniform_below(key(Stream::caption), std::uint32_t(count)));
}

}  // namespace diffusion
