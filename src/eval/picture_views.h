#pragma once

// Random views of a picture: what a classifier is shown that has one picture of a class, and is to recognize
// drawings of it that are a little wrong.

#include <array>
#include <cstdint>
#include <span>

#include <diffusion/dataset.h>
#include "base/rng.h"

namespace diffusion {

// How far a view may be from its picture. Each is drawn anew for every view, evenly from none to this much;
// noise and covering only for every other view. Never mirrored: words may say left and right.
struct PictureViews {
  double shift = 0.08;    // to any side, of the longer side
  double zoom = 0.2;      // larger or smaller, exp(+-zoom)
  double rotation = 0.2;  // radians, to either side
  double warp = 0.05;  // how far places are moved that lie a third of the picture apart, of the longer side
  double blur = 0.04;  // standard deviation of a Gaussian, of the longer side
  double contrast = 0.15;  // of all channels, the same for each
  double color = 0.06;     // added to each channel, of a range from -1 to 1: less than skin tones differ
  double noise = 0.25;     // standard deviation, of the same range
  double cover = 0.4;      // the sides of a rectangle of one color, each of its side
};

// Makes a view of `image`, [channels, height, width] in [-1, 1], in its place; values may go a little beyond
// the range. What comes in from outside is as the pixel at the border. A pure function of its arguments.
// Error(internal) for a picture of another size.
void make_view(const PictureViews& views, const RandomKey& key, std::array<int, 3> shape,
               std::span<float> image);

// A view of each image of `data`, with its label, in 8 bits: image i with sample i of Stream::transform.
Dataset views_of(const Dataset& data, const PictureViews& views, std::uint64_t seed);

}  // namespace diffusion
