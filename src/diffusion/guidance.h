#pragma once

// Guidance and limits: what D becomes before a sampler sees it. Two forms of the same arithmetic: for whoever
// evaluates the rows of many samplings together, which D's are needed and what they come to; and functions
// from denoisers to a denoiser, whose result owns copies of the denoisers and may be called by one thread at
// a time.

#include <cstddef>

#include <diffusion/recipe.h>
#include "diffusion/samplers.h"

namespace diffusion {

// Limits to [low, high], the range of pixels. NaN stays NaN. Throws Error(usage) unless low < high.
DenoisedLimit clip_limit(double low = -1, double high = 1);

// Dynamic thresholding (Saharia et al. 2022, arXiv 2205.11487, section 2.3), image by image: with s the
// `ratio` quantile of |D|, at least 1 and at most max_value, D is limited to [-s, s] and divided by s. Throws
// Error(usage) unless 0 <= ratio <= 1, max_value >= 1 and elements_per_image > 0, and the limit does for
// anything but whole images.
DenoisedLimit dynamic_threshold_limit(std::size_t elements_per_image, double ratio = 0.995,
                                      double max_value = 1);

// What EstimateLimit says.
DenoisedLimit denoised_limit(const EstimateLimit& limit, std::size_t elements_per_image);  // empty for none

// D, limited. The step then uses the noise that the limited estimate implies (diffusers' ddpm, or ddim with
// use_clipped_model_output).
Denoiser limit_denoised(Denoiser denoise, DenoisedLimit limit);
Denoiser clip_denoised(Denoiser denoise, double low = -1, double high = 1);

// Throws Error(usage) unless scale is finite, 0 <= sigma_low < sigma_high, 0 <= rescale <= 1, and
// elements_per_image > 0 if rescale is used.
void check_guidance(const Guidance& guidance, std::size_t elements_per_image);

// The evaluations at a noise level. strong: of the model under the condition. weak: without the condition, or
// of the weaker model. What is not needed is not evaluated.
enum class GuidanceRows { strong, weak, both };
GuidanceRows guidance_rows(const Guidance& guidance, double sigma);

// What both come to, image by image: the guided estimate takes the place of `weak`. Both are as long; throws
// Error(usage) for anything but whole images if rescale is used.
void guide_estimate(const Guidance& guidance, std::span<const double> strong, std::span<double> weak,
                    std::size_t elements_per_image);

// Classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598): away from what the network says without
// the class. Errors are those of check_guidance.
Denoiser classifier_free_guidance(Denoiser conditional, Denoiser unconditional, const Guidance& guidance,
                                  std::size_t elements_per_image = 0);

// Autoguidance (Karras et al. 2024, arXiv 2406.02507): the same formula, away from a smaller or less trained
// model that is asked the same question.
Denoiser autoguidance(Denoiser denoise, Denoiser weaker, const Guidance& guidance,
                      std::size_t elements_per_image = 0);

}  // namespace diffusion
