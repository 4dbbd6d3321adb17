#pragma once

// Projected gradient ascent, for any loss.

#include <functional>
#include <span>
#include <vector>

#include <diffusion/robustness.h>

namespace diffusion {

// The loss of each of some pictures in [-1, 1], [N, C, H, W], and the gradient of their sum. `iteration` is
// for whoever draws random numbers.
using AttackLoss = std::function<void(std::span<const double> x, int iteration, std::span<double> losses,
                                      std::span<double> gradient)>;

// The pictures of largest loss on the way of AttackOptions::steps steps from a random place of the ball;
// `numbers` says which picture of the seed each is.
std::vector<double> pgd(const AttackLoss& loss, std::span<const double> pictures,
                        std::span<const int> numbers, const AttackOptions& options);

}  // namespace diffusion
