#pragma once

// Easy consistency tuning (Geng et al. 2024, "Consistency models made easy", arXiv 2406.14548): a trained
// denoiser becomes a consistency function, which tells at every noise level where the ODE ends and so makes
// an image in one evaluation. With x_t = y + t n and x_r = y + r n, the same n and r < t, D(x_t; t) learns to
// equal D(x_r; r), which is not differentiated; D(x_0; 0) is y itself. The run is divided into stages, and r
// comes closer to t from stage to stage.
//
// Here t and r are noise levels sigma, as in the paper.

#include <cstddef>
#include <span>
#include <string>

#include "base/rng.h"
#include "diffusion/precondition.h"
#include "formats/json.h"

namespace diffusion {

struct ConsistencyTuning {
  int stages = 4;                   // of equal length
  double q = 2, k = 8, b = 1;       // see lower_level()
  double p_mean = -1.1, p_std = 2;  // ln t ~ N(p_mean, p_std^2), cut off at the model's range
  double huber = 0.001;             // c of consistency_loss()
};

// Error(usage) naming the field, what was found and what is accepted.
void validate(const ConsistencyTuning& tuning);
Json to_json(const ConsistencyTuning& tuning);

// The noise level t below which a share u in [0, 1) of the training examples lies.
double level_at(const ConsistencyTuning& tuning, const Preconditioner& preconditioner, double u);

// The lower level r = t max(0, 1 - n(t) / q^a) with n(t) = 1 + k / (1 + exp(b t)) and the stage a = 1, 2, ...
// stages at `progress`, the share of the run that is done (section 4.1 of the paper). n makes r / t smaller
// at low t, where the first stages are therefore plain denoising.
double lower_level(const ConsistencyTuning& tuning, double t, double progress);

// The mean over samples of weight (sqrt(d^2 + c^2) - c), where d is the root mean square of error_scale
// (prediction - target) over a sample, and its gradient with respect to the prediction: a Huber loss of whole
// images (Song & Dhariwal 2023, arXiv 2310.14189), whose gradient has the same length however large d is.
// Sizes and NaN as in loss_and_grad(); scales and weights are per sample.
double consistency_loss(double c, std::span<const float> prediction, std::span<const float> target,
                        std::span<const double> error_scale, std::span<const double> weight,
                        std::span<float> grad);

}  // namespace diffusion
