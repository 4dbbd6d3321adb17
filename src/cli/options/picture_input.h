#pragma once

// Pictures that commands are given, in a model's form.

#include <array>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include "diffusion/model.h"

namespace diffusion {

struct GivenPictures {
  std::vector<Image> images;  // in the model's form
  std::array<int, 2> size{};  // height, width that they had
};

// Channels, height and width of the model's images. Error(usage) if it does not tell their size.
std::array<int, 3> picture_form(const Model& model);

// One picture (PNG, JPEG, TIFF, WebP), or those of a .npy file, uint8 [N, H, W, C] or [N, H, W], brought to
// the model's form as data sets are (data/image_form.h). Error(usage) if the model has no size, or makes
// images that are no pictures; Error(bad_input) or Error(io) naming the file.
GivenPictures read_pictures(const std::string& path, const Model& model);
// The same for another form, channels (1, 3 or 4), height and width.
GivenPictures read_pictures(const std::string& path, std::array<int, 3> form);

// One channel of the model's height and width, 0 or 255. A mask has the size of the pictures, or of the
// model's images. Error(bad_input) naming the file if it has another, and for pixels that are neither black
// nor white, or all of one color; transparent ones are white.
Image read_mask(const std::string& path, const GivenPictures& pictures, const Model& model);

}  // namespace diffusion
