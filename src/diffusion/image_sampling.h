#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <diffusion/conditions.h>
#include "diffusion/guided_estimate.h"
#include "diffusion/rows.h"
#include "diffusion/samplers.h"

namespace diffusion {

// Which images of a seed. Image k of a seed is the same bytes whoever it is sampled with.
struct ImageRange {
  std::uint64_t seed = 0;
  std::uint32_t first = 0;  // index of the first image
  std::size_t count = 1;
};

// The sampling of some images, with guidance, as whoever evaluates rows of many together drives it:
//
//   while (!sampling.finished()) {
//     sampling.ask(rows, guide_rows);
//     denoise(evaluator, rows, ...); ...
//     sampling.answer(denoised, guide_denoised);
//   }
//
// It stops between two evaluations, has no thread of its own, and to cancel it is to destroy it.
class ImageSampling {
 public:
  // `noise`: N(0, 1) to start from, [count, C, H, W]. `conditions` are those of the images; guidance is away
  // from `unconditional`, or, if that is empty, from what another model says under the same conditions (the
  // guide). `prepared` must outlive this.
  ImageSampling(const PreparedRecipe& prepared, const ImageRange& images, std::vector<double> noise,
                Conditions conditions, Conditions unconditional, StepCallback on_step = {});

  // One image with noise that is no seed's (turned_noise.h): draw 0 is where it starts.
  ImageSampling(const PreparedRecipe& prepared, NoiseSource noise, Conditions conditions,
                Conditions unconditional, StepCallback on_step = {});

  // With a sampler of its own on levels of its own, from the state `x` at the first of them: the samplings of
  // edits (edit_walk.h).
  ImageSampling(const PreparedRecipe& prepared, const ImageRange& images, const Sampler& sampler,
                std::vector<double> sigmas, std::vector<double> x, Conditions conditions,
                Conditions unconditional, StepCallback on_step = {});

  bool finished() const { return !sampling_.question(); }

  // Adds the samples whose D it waits for, to `guide_rows` those that the guide is to answer. Must not be
  // finished.
  void ask(Rows& rows, Rows& guide_rows) const;

  // How many rows ask() adds to each of the two.
  GuidedEstimate::RowCounts asked() const { return estimate_.asked(sampling_.question()->sigma); }

  // Takes the answers to what ask() added, in that order, and goes on to the next question or to the end.
  // Throws what Sampling::answer throws.
  void answer(std::span<const double> denoised, std::span<const double> guide_denoised);

  // The state, [count, C, H, W]; at the end the result at the last level.
  std::span<const double> x() const { return sampling_.x(); }

 private:
  GuidedEstimate estimate_;
  Sampling sampling_;
};

}  // namespace diffusion
