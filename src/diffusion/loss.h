#pragma once

// The training loss. It compares the raw network output F with its target (forward_process.h); what a noise
// level counts is a weight per sample (loss_weight in precondition.h).

#include <span>
#include <string_view>

namespace diffusion {

// Per element, d = prediction - target:
//   mse    d^2
//   huber  d^2 / 2 if |d| < 1, else |d| - 1/2 (PyTorch's SmoothL1, beta 1). A network that outputs zero for
//          targets N(0, 1) starts at 0.42466.
//   l1     |d|
enum class LossKind { mse, huber, l1 };

std::string_view to_string(LossKind kind);

// The mean over all elements of weight * element loss, and its gradient with respect to the prediction. With
// `counted`, as many numbers as the prediction has, over those elements where it is 1; the others, where it
// is 0, have no gradient, and where nothing counts the loss is 0. prediction, target and grad hold
// per_sample_weight.size() samples of equal size, one after the other; grad may be empty: no gradient. Sums
// run in double in a fixed order, so equal inputs give equal bits. NaN and infinity pass through to the
// result: the caller decides. Throws Error(usage) if sizes do not fit or there are no elements.
double loss_and_grad(LossKind kind, std::span<const float> prediction, std::span<const float> target,
                     std::span<const double> per_sample_weight, std::span<float> grad,
                     std::span<const float> counted = {});

}  // namespace diffusion
