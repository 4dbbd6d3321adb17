#pragma once

// D of some images as a recipe has it, with guidance and limit, in terms of the rows that a network answers.

#include <cstddef>
#include <span>

#include <diffusion/conditions.h>
#include "diffusion/rows.h"
#include "diffusion/sampling_recipe.h"

namespace diffusion {

// A model's recipe for images of one size, worked out: noise levels, sampler and limit. Any number of
// samplings may be made from it.
struct PreparedRecipe {
  SamplingRecipe recipe;
  NoiseLevels levels;
  DenoisedLimit limit;  // empty: none
  Sampler sampler;
  std::size_t image_size;  // C * H * W
};

// Error(usage) if the recipe does not fit the model.
PreparedRecipe prepare_recipe(const Model& model, const SamplingRecipe& recipe, std::size_t image_size);

class GuidedEstimate {
 public:
  // `conditions` are those of the images; guidance is away from `unconditional`, or, if that is empty, from
  // what another model says under the same conditions (the guide). `prepared` must outlive this.
  GuidedEstimate(const PreparedRecipe& prepared, std::size_t count, Conditions conditions,
                 Conditions unconditional);

  // Adds the samples whose D is needed for D(x; sigma), x [count, C, H, W], to `guide_rows` those that the
  // guide is to answer.
  void ask(std::span<const double> x, double sigma, Rows& rows, Rows& guide_rows) const;

  // How many rows ask() adds to each of the two.
  struct RowCounts {
    std::size_t own, guide;
  };
  RowCounts asked(double sigma) const;

  // What the answers to these rows, in their order, come to.
  void answer(double sigma, std::span<const double> denoised, std::span<const double> guide_denoised,
              std::span<double> estimate) const;

  // The weight that row k of asked(sigma).own has in the estimate before limits and Guidance::rescale, which
  // is linear in the rows.
  double weight_of(std::size_t row, double sigma) const;

  std::size_t count() const { return count_; }

 private:
  const PreparedRecipe& prepared_;
  std::size_t count_;
  Conditions conditions_, unconditional_;
};

}  // namespace diffusion
