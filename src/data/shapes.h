#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <diffusion/dataset.h>

namespace diffusion {

// The built-in data set: 28x28 gray drawings of ten figures on black, with random place, size, rotation,
// brightness and shading, smooth at the edges. It needs no file and no network. Image i is a pure function of
// (seed, i), whatever the count; images 10k to 10k + 9 show each class once, in random order, so the classes
// are balanced.
inline constexpr int kShapesSide = 28;

// disk, ring, square, frame, triangle, cross, stripes, checkerboard, star, crescent.
std::span<const std::string> shape_names();

// Throws Error(usage) if count is less than 1.
Dataset make_shapes(int count, std::uint64_t seed);

}  // namespace diffusion
