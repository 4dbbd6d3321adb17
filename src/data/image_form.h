#pragma once

#include <array>
#include <cstdint>

#include <diffusion/dataset.h>
#include <diffusion/image.h>

namespace diffusion {

// The form that images of any size and kind are brought into, so that they make a data set.
struct ImageForm {
  int height = 0, width = 0;
  int channels = 3;                                       // 1 gray, 3 RGB, 4 RGB and alpha
  std::array<std::uint8_t, 3> background{255, 255, 255};  // behind what is transparent, unless channels are 4
};

// Scales the image so that it just covers height x width, keeping its proportions, and takes the middle; for
// squares that is "resize the shorter side, crop the center". Error(usage) if the scaled image would have
// more than kMaxPixels.
Image fit_image(const Image& image, const ImageForm& form);

// Error(usage) if the numbers cannot be: sides 1 to kMaxFormSide, channels 1, 3 or 4.
inline constexpr int kMaxFormSide = 8192;
void validate(const FormOptions& options);

// The rows and columns that images of this size are larger for random crops: an eighth, at least 1.
std::array<int, 2> crop_margin(std::array<int, 2> size);

// The data set in the form asked for. What is left open stays as it is; nothing to do: the same memory.
Dataset reform(Dataset dataset, const FormOptions& options);

}  // namespace diffusion
