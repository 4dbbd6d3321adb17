#pragma once

namespace diffusion {

enum class Activation { none, silu, gelu, mish, relu };  // gelu is the erf form

// How the time embedding meets the normalization (diffusers' resnet_time_scale_shift).
enum class Modulation {
  none,
  shift_before,      // act(gn(x + m) gamma + beta),             m [N,C,1,1]   ("default")
  scale_shift_after  // act((gn(x) gamma + beta)(1 + s) + b),    m = [s; b] [N,2C,1,1] ("scale_shift")
};

}  // namespace diffusion
