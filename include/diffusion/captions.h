#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <diffusion/pixel_store.h>

namespace diffusion {

// Words for images: any number of captions for each of N images, in the order of their source. Texts are not
// empty, and UTF-8. All lie one after the other in one memory, which copies share, and which may be a mapped
// file.
class Captions {
 public:
  Captions() = default;  // of no images
  // texts[i] are the captions of image i.
  explicit Captions(std::span<const std::vector<std::string>> texts);
  // What bytes() gave; nothing if it is damaged.
  static std::optional<Captions> from_bytes(PixelStore bytes);

  int images() const { return images_; }
  bool empty() const { return images_ == 0; }

  // How many captions image i has, and caption k of them: 0 <= i < images(), 0 <= k < count(i).
  std::size_t count(int i) const;
  std::string_view text(int i, std::size_t k) const;

  // Of the images k, k + n, k + 2n, ... among these, as take_shard().
  Captions every(int n, int k) const;

  // Of all images, also where these are those of a shard: little-endian numbers of 64 bits and the texts,
  //   number of images N, number of captions M, the first caption of image 0 ... N, the first byte of
  //   caption 0 ... M, texts
  std::span<const std::uint8_t> bytes() const { return store_.bytes(); }

 private:
  std::size_t number(std::size_t place) const;  // of the numbers that `store_` begins with

  PixelStore store_;
  int images_ = 0;
  std::size_t first_ = 0, step_ = 1;  // image i is number first_ + i * step_ of `store_`
};

// Of which example of a training run a caption is.
struct CaptionDraw {
  std::uint64_t seed = 0;
  std::uint32_t step = 0, number = 0;  // `number` in the batch of the step
  double dropout = 0;                  // the probability of no caption: for classifier-free guidance
};

// The caption that image i is shown with in a training example: one of those it has, each as likely as the
// others; empty if it has none, or if it is dropped. A pure function of its arguments.
std::string_view caption_of(const Captions& captions, int i, const CaptionDraw& draw);

}  // namespace diffusion
