#pragma once

// Addresses inside channel-blocked samples.

#include "device/cpu/kernels/simd.h"
#include "device/cpu/kernels/table.h"

namespace diffusion::DIFFUSION_ISA {

// Position of a channel within a sample; its pixels are `block` apart. For a strip of kLanes channels, of the
// first.
inline std::int64_t channel_offset(const BlockedShape& s, std::int64_t channel) {
  return channel / s.block * s.block * s.pixels + channel % s.block;
}

// Zeroes the channels of a sample that only fill its last block.
template <class T>
inline void clear_tail(const BlockedShape& shape, T* sample) {
  for (std::int64_t c = shape.channels; c < shape.stored_channels(); ++c)
    for (std::int64_t p = 0; p < shape.pixels; ++p)
      store_one(sample + channel_offset(shape, c) + p * shape.block, 0.f);
}

}  // namespace diffusion::DIFFUSION_ISA
