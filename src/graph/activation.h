#pragma once

namespace diffusion {

// gelu is the erf form; gelu_tanh its approximation z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))); quick_gelu
// the rougher z sigmoid(1.702 z) of CLIP.
enum class Activation { none, silu, gelu, gelu_tanh, quick_gelu, mish, relu };

// How the time embedding meets the normalization (diffusers' resnet_time_scale_shift).
enum class Modulation {
  none,
  shift_before,      // act(gn(x + m) gamma + beta),             m [N,C,1,1]   ("default")
  scale_shift_after  // act((gn(x) gamma + beta)(1 + s) + b),    m = [s; b] [N,2C,1,1] ("scale_shift")
};

}  // namespace diffusion
