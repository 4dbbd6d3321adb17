#pragma once

#include <cstddef>

#include <diffusion/sampler.h>

namespace diffusion {

// The sampler for `count` of the steps that it was made for, from number `first` on: what its options say of
// each step (EulerAncestral::downs, say) is that of these steps.
Sampler for_some_steps(Sampler sampler, std::size_t first, std::size_t count);

}  // namespace diffusion
