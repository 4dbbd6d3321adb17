#pragma once

#include <cstddef>
#include <cstdint>

namespace diffusion {

// Number i of tensor `tensor`, in [-1, 1), exact in f32: the finalizer of MurmurHash3. The same as in
// tests/golden/golden_uniform.py, for goldens whose weights are too large to store.
double golden_uniform(std::uint32_t tensor, std::size_t i);

}  // namespace diffusion
