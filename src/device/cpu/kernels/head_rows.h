#pragma once

// Channels of one attention head as rows [token][feature] of floats, and back.

#include "device/cpu/kernels/blocked.h"

namespace diffusion::DIFFUSION_ISA {

// A run of channels of a sample, and the width of the rows: head_dim rounded up to whole vectors.
struct HeadChannels {
  const BlockedShape& shape;
  std::int64_t first, head_dim, row;
};

inline bool whole_vectors(const HeadChannels& h) {
  return h.shape.block % kLanes == 0 && h.first % kLanes == 0 && h.head_dim % kLanes == 0;
}

// rows = the head's channels * factor, zero-padded.
template <class T>
void gather_head(const HeadChannels& h, const T* sample, float factor, float* rows) {
  const std::int64_t tokens = h.shape.pixels;
  if (whole_vectors(h)) {
    const Vec f = splat(factor);
    for (std::int64_t d = 0; d < h.head_dim; d += kLanes) {
      const T* from = sample + channel_offset(h.shape, h.first + d);
      for (std::int64_t t = 0; t < tokens; ++t)
        store(rows + t * h.row + d, load(from + t * h.shape.block) * f);
    }
    return;
  }
  for (std::int64_t i = 0; i < tokens * h.row; ++i) rows[i] = 0;
  for (std::int64_t d = 0; d < h.head_dim; ++d) {
    const T* from = sample + channel_offset(h.shape, h.first + d);
    for (std::int64_t t = 0; t < tokens; ++t)
      rows[t * h.row + d] = load_one(from + t * h.shape.block) * factor;
  }
}

// The head's channels (+)= rows * factor.
template <class T>
void scatter_head(const HeadChannels& h, const float* rows, float factor, bool accumulate, T* sample) {
  const std::int64_t tokens = h.shape.pixels;
  if (whole_vectors(h)) {
    const Vec f = splat(factor);
    for (std::int64_t d = 0; d < h.head_dim; d += kLanes) {
      T* to = sample + channel_offset(h.shape, h.first + d);
      for (std::int64_t t = 0; t < tokens; ++t) {
        const Vec v = load(rows + t * h.row + d) * f;
        store(to + t * h.shape.block, accumulate ? load(to + t * h.shape.block) + v : v);
      }
    }
    return;
  }
  for (std::int64_t d = 0; d < h.head_dim; ++d) {
    T* to = sample + channel_offset(h.shape, h.first + d);
    for (std::int64_t t = 0; t < tokens; ++t) {
      const float v = rows[t * h.row + d] * factor;
      store_one(to + t * h.shape.block, accumulate ? load_one(to + t * h.shape.block) + v : v);
    }
  }
}

}  // namespace diffusion::DIFFUSION_ISA
