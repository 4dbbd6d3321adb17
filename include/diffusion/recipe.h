#pragma once

// How to sample, as data: everything but which images.

#include <functional>
#include <limits>

#include <diffusion/levels.h>
#include <diffusion/sampler.h>

namespace diffusion {

struct Model;          // models.h
class Preconditioner;  // the library's own

// What is done to D, the estimate of the clean image, before a sampler sees it.
struct EstimateLimit {
  // clip: pixels to [-range, range]. dynamic_threshold (Saharia et al. 2022, arXiv 2205.11487, section 2.3):
  // image by image, with s the `ratio` quantile of |D|, at least 1 and at most max_value, D is limited to
  // [-s, s] and divided by s.
  enum class Kind { none, clip, dynamic_threshold };
  Kind kind = Kind::none;
  double range = 1;
  double ratio = 0.995, max_value = 1;
  bool spares_noise = false;  // only for ddim: it is Ddim::limit, not one of the denoiser

  bool clips() const { return kind == Kind::clip; }
};

// How far, and where, to go beyond one denoiser in the direction away from another.
struct Guidance {
  double scale = 1;  // w of D_1 = D_weak + w (D - D_weak); 1 is D and 0 is D_weak
  // Only for sigma_low < sigma <= sigma_high, elsewhere D alone (Kynkaanniemi et al. 2024, arXiv 2404.07724).
  double sigma_low = 0, sigma_high = std::numeric_limits<double>::infinity();
  // phi of (phi std(D) / std(D_1) + 1 - phi) D_1, std over an image, which takes back how much contrast grew
  // (Lin et al. 2023, arXiv 2305.08891, section 3.4; they say it of the network's output, here it is D). 0
  // does nothing.
  double rescale = 0;
};

// The levels of a sampling with so many steps, and what the sampler has to know of them (Pndm::middles or
// EulerAncestral::downs, say), which the rule writes. Error(usage) for numbers of steps that it does not
// have.
using LevelRule =
    std::function<NoiseLevels(const Preconditioner& preconditioner, int steps, Sampler& sampler)>;

struct SamplingRecipe {
  Sampler sampler = Ddim{};
  LevelSettings levels = {};
  LevelRule level_rule = {};  // of the model's scheduler; then the levels are these, and `levels` is what of
                              // them another sampler or spacing would take over
  int steps = 50;
  EstimateLimit limit = {};
  Guidance guidance = {};
};

// What the model's own scheduler does; for one that we trained, as models like it are sampled. Models with
// words are guided (scale 3), unless they were tuned for few steps.
SamplingRecipe scheduler_recipe(const Model& model);

// How the model is sampled unless somebody says otherwise: that, but with dpmpp_3m_sde in place of ddpm,
// which would need every timestep. It is what `diffusion sample` does without options.
SamplingRecipe default_recipe(const Model& model);

// The recipe, usually scheduler_recipe(), with another sampler: its default number of steps, and its own
// reading of the spacing, or another spacing if it needs that on this model (SamplerFacts). What was peculiar
// to the levels of the sampler before goes with it. A sampler of the same name leaves all as it is, options
// and steps included.
SamplingRecipe with_sampler(SamplingRecipe recipe, const Sampler& sampler, const Model& model);

// The recipe with another spacing, as its sampler reads it, without peculiarities of the levels before.
SamplingRecipe with_spacing(SamplingRecipe recipe, Spacing spacing);

// The noise levels that the recipe visits on the model. Error(usage) if it does not fit.
NoiseLevels levels_of(const SamplingRecipe& recipe, const Model& model);

}  // namespace diffusion
