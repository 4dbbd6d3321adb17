#pragma once

// What edit(), invert(), interpolate() and restore() have in common: samplings of batches that begin
// otherwise than in generate().

#include <functional>
#include <span>
#include <vector>

#include <diffusion/generate.h>
#include <diffusion/image.h>
#include <diffusion/sampling.h>
#include "diffusion/batch_denoiser.h"
#include "diffusion/samplers.h"

namespace diffusion {

// A call that makes images batch by batch.
struct PictureWalk {
  const Model& model;
  const GenerateOptions& options;
  const PictureSize size;
  const std::function<void(const GenerateStep&)>& on_step;

  // Calls make(done, images) for batch after batch, `done` images being made before.
  void for_each_batch(const std::function<void(int done, int images)>& make) const;

  // Runs one batch to its end: what it comes to is the state as papers have it, [images, C, H, W].
  std::vector<double> finish(int done, int images, const Sampler& sampler, std::vector<double> sigmas,
                             std::vector<double> x, NoiseSource noise, const Denoiser& denoise) const;

  // Of the images `done`, done + 1, ... of the call.
  NoiseSource noise_of(int done) const;
};

// Image k is picture (first + k) mod their number, in [-1, 1]: [count, C, H, W].
std::vector<double> picture_numbers(std::span<const Image> pictures, const PictureSize& size, int first,
                                    int count);

// Error(usage) for no pictures, and if they have another form than the model's.
void check_pictures(std::span<const Image> pictures, const PictureSize& size);

// [images, C, H, W] to pixels.
void append_images(std::span<const double> x, const PictureSize& size, std::vector<Image>& images);

}  // namespace diffusion
