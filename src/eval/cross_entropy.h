#pragma once

#include <span>

namespace diffusion {

// The loss of a classifier: the mean over images of -sum_k q_k log softmax(logits)_k, where q is 1 at the
// label, or with label smoothing s (Szegedy et al. 2016) 1 - s there and s / classes more everywhere. logits:
// [N, classes]; labels: [N] in [0, classes); grad: [N, classes], the gradient with respect to the logits, or
// empty. Sums run in double in a fixed order. NaN passes through. Error(usage) for sizes that do not fit, a
// label outside, and smoothing outside [0, 1).
double cross_entropy_and_grad(std::span<const float> logits, std::span<const int> labels, double smoothing,
                              std::span<float> grad);

}  // namespace diffusion
