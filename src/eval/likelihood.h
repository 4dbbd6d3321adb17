#pragma once

// How well a model compresses 8-bit images that it has not seen: -log2 p(image) / numbers of the image, in
// bits per dimension. Both values are upper bounds, of two different models that one network makes: the
// Markov chain of Ho et al., and the probability-flow ODE.

#include <cstdint>
#include <functional>
#include <optional>

#include <diffusion/dataset.h>
#include "device/device.h"
#include "diffusion/model.h"

namespace diffusion {

// The standard deviation of a uniform number as wide as the distance of two 8-bit levels, 2 / 255.
inline constexpr double kRoundingStd = 0.0022639;

struct LikelihoodOptions {
  int terms = 32;      // of the variational bound, see VariationalBoundOptions
  int ode_steps = 24;  // see OdeRange; on Fashion-MNIST within 0.001 of many
  int batch = 32;      // images computed together
  std::uint64_t seed = 0;
};

// The mean over images, and the standard deviation of the images divided by the root of their number. It
// includes the chance in noise, terms and probes, but not what another set of weights would give.
struct MeanOfImages {
  double value = 0, standard_error = 0;
};

// Bits per dimension of the parts, and their sum; see variational_bound.h.
struct BoundBits {
  MeanOfImages total;
  double prior, steps, decoder;
  DdpmVariance steps_variance, decoder_variance;  // those with the lower means
};

struct BitsPerDimension {
  int images = 0;
  bool given_class = false;        // log p(image | class)
  std::optional<BoundBits> bound;  // none for models without discrete timesteps (edm, flow)
  // log p of the image as numbers, to which a uniform number as wide as the distance of two levels was added,
  // so that it is a bound, too: by Jensen's inequality (Theis et al. 2016, arXiv 1511.01844). The ODE ends at
  // kRoundingStd, where that noise is as strong as the network is told; below its lowest level a discrete
  // model is told timestep 0.
  MeanOfImages ode;
};

// Of all images of `data`, with their labels if those are the model's classes, else without class. As the
// sampler does, the bound limits D to [-1, 1] if the model's recipe clips it; the ODE does not, as it needs
// derivatives. Image k of a seed is the same number in any batch. `progress` is told the share that is done.
// Use a device of f32: rounding to bf16 is noise of the size of the lowest levels. Error(usage) for less than
// 2 images, for images of another form, and for classes that are not the model's where it cannot do without;
// Error(non_finite) if the network returns NaN.
BitsPerDimension bits_per_dimension(const Model& model, const Dataset& data, const Device& device,
                                    const LikelihoodOptions& options = {},
                                    const std::function<void(double share)>& progress = {});

}  // namespace diffusion
