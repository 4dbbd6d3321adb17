#pragma once

// A forward pass whose result is kept with a model, so that any machine can see whether the model still
// computes the same: the raw network in f32, at three noise levels, on one image of noise (seed 0,
// Stream::sample_noise, sample 0, step 0, NCHW order; unit variance at every level), with class label 0.
// Images are as small as the network allows from 32 pixels on, or as the model's own if those are smaller.

#include <array>
#include <string_view>
#include <vector>

#include "device/device.h"
#include "diffusion/model.h"
#include "formats/json.h"

namespace diffusion {

struct GoldenPass {
  static constexpr std::size_t kValues = 16;

  struct Level {
    double time;                // what the network is told: c_noise of the sigma, as f32
    double mean, std;           // over the whole output
    std::vector<double> first;  // the first kValues values of the output, or all
  };

  std::array<int, 2> size;  // height, width
  std::vector<Level> levels;
};

// The lowest, the highest, and the middle (in log sigma) noise level of the model.
std::vector<double> golden_times(const Model& model);

// Computes on `device`, which should be of full f32 precision.
GoldenPass run_golden_pass(const Model& model, const Device& device, std::array<int, 2> size,
                           std::span<const double> times);
GoldenPass make_golden_pass(const Model& model, const Device& device);

Json to_json(const GoldenPass& pass);
GoldenPass parse_golden_pass(const Json& json,
                             std::string_view source);  // Error(bad_input) naming source and field

// Kernels of other instruction sets sum in another order, so results agree to about 1e-5 of the output's
// size. More than kGoldenTolerance means another function.
inline constexpr double kGoldenTolerance = 1e-3;

// The largest difference of a value, mean or std, relative to |mean| + std of that level as it was recorded.
// Infinity if a value is not finite. Both must have the same levels.
double largest_difference(const GoldenPass& recorded, const GoldenPass& now);

}  // namespace diffusion
