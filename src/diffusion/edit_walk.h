#pragma once

// What edit() is made of, for whoever drives its samplings together with others.

#include <cstddef>
#include <span>
#include <vector>

#include <diffusion/edit.h>
#include <diffusion/image.h>
#include "diffusion/generate_request.h"
#include "diffusion/guided_estimate.h"

namespace diffusion {

// Error(usage) for a strength outside [0, 1] and for masks that do not fit.
void check_edit(const EditOptions& options, const PictureSize& size);

// Error(usage) if the recipe's levels lead from pictures up to noise.
void check_goes_down(const PreparedRecipe& prepared);

// Puts the pixels that the mask calls known into `image`.
void keep_known_pixels(const Image& mask, const Image& picture, Image& image);

// The samplings of an edit, for pictures in numbers.
struct EditWalk {
  const EditOptions& options;
  const PreparedRecipe& prepared;
  std::size_t first_step;

  // The levels of the steps that are taken.
  std::vector<double> sigmas() const;

  // `noise` becomes the state to begin with.
  std::vector<double> start(std::vector<double> noise, std::span<const double> pictures) const;

  Sampler sampler(std::vector<double> pictures, int channels) const;
};

}  // namespace diffusion
