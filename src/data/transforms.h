#pragma once

#include <span>
#include <variant>

#include <diffusion/image.h>
#include "base/rng.h"

namespace diffusion {

// What is done to a picture before it is learned, as a list of values:
//
//   const Transform transforms[] = {ResizeShorterSide{128}, RandomHorizontalFlip{}, CenterCrop{128, 128}};
//   const Image picture = apply(transforms, read_image("cat.png"), {seed, Stream::transform, index, epoch});
//   const std::vector<float> x0 = scale_to_signed(to_tensor(picture));  // diffusion/image.h, which has
//                                                                       the way back
//
// See pictures/resize.h for what each size means exactly.

struct ResizeShorterSide {
  int size;
};
struct ResizeToWidth {
  int width;
};
struct ResizeTo {  // does not keep the aspect
  int height, width;
};
struct CenterCrop {
  int height, width;
};
struct RandomCrop {  // every place is equally likely
  int height, width;
};
struct RandomHorizontalFlip {
  double probability = 0.5;
};

using Transform =
    std::variant<ResizeShorterSide, ResizeToWidth, ResizeTo, CenterCrop, RandomCrop, RandomHorizontalFlip>;

// In order. A pure function of its arguments: the k-th transform takes its random numbers from positions 2 k
// and 2 k + 1 of `key`. Error(usage) for sizes that make no picture, crops larger than the picture, and a
// probability outside [0, 1].
Image apply(std::span<const Transform> transforms, Image image, const RandomKey& key);

}  // namespace diffusion
