#include "data/transforms.h"

#include <fmt/format.h>

#include <utility>

#include <diffusion/error.h>
#include "pictures/exif.h"
#include "pictures/resize.h"

namespace diffusion {

namespace {

struct Apply {
  const RandomKey& key;
  std::uint32_t position;

  Image operator()(const ResizeShorterSide& to, const Image& image) const {
    return resize_shorter_side(image, to.size);
  }
  Image operator()(const ResizeToWidth& to, const Image& image) const {
    return resize_to_width(image, to.width);
  }
  Image operator()(const ResizeTo& to, const Image& image) const {
    return resize(image, to.width, to.height);
  }
  Image operator()(const CenterCrop& part, const Image& image) const {
    return center_crop(image, part.height, part.width);
  }
  Image operator()(const RandomCrop& part, const Image& image) const {
    const auto place = [&](int whole, int size, std::uint32_t at) {
      if (size < 1 || size > whole) return 0;  // crop() refuses it
      return int(uniform_below(key, std::uint32_t(whole - size) + 1, at));
    };
    const int left = place(image.width, part.width, position);
    const int top = place(image.height, part.height, position + 1);
    return crop(image, left, top, part.height, part.width);
  }
  Image operator()(const RandomHorizontalFlip& flip, Image image) const {
    if (!(flip.probability >= 0 && flip.probability <= 1))
      throw Error(ErrorKind::usage,
                  fmt::format("The probability of a random horizontal flip is {}; accepted are 0 to 1.",
                              flip.probability));
    constexpr int kMirrored = 2;
    return uniform(key, position) < flip.probability ? orient(std::move(image), kMirrored) : image;
  }
};

}  // namespace

Image apply(std::span<const Transform> transforms, Image image, const RandomKey& key) {
  for (std::size_t k = 0; k < transforms.size(); ++k) {
    const Apply step{key, std::uint32_t(2 * k)};
    image =
        std::visit([&](const auto& transform) { return step(transform, std::move(image)); }, transforms[k]);
  }
  return image;
}

}  // namespace diffusion
