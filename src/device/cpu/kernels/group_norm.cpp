// Group normalization with modulation and activation, forward and backward.
//
// Work goes by strips: kLanes channels over all pixels of a sample. Statistics of a channel are taken about
// its first pixel, then channels are merged in double precision, so a large mean costs no accuracy.

#include <omp.h>

#include <cmath>

#include "device/cpu/kernels/blocked.h"
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/simd.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

struct Geometry {
  std::int64_t channels, stored, pixels, sample, group_channels;
  int block, strips;
};

Geometry geometry_of(const GroupNormSpec& spec) {
  const BlockedShape& s = spec.shape;
  const std::int64_t stored = s.stored_channels();
  return {s.channels,          stored, s.pixels, stored * s.pixels, s.channels / spec.groups, s.block,
          int(stored / kLanes)};
}

// How far ahead of a sweep memory is asked for: the processor's own prefetchers stop at the end of every
// page.
constexpr std::int64_t kAhead = 2048;

template <class T>
void prefetch(const T* p) {
  __builtin_prefetch(reinterpret_cast<const char*>(p) + kAhead, 0);
}
template <class T>
void prefetch_to_write(T* p) {
  __builtin_prefetch(reinterpret_cast<char*>(p) + kAhead, 1);
}

// Mean and sum of squared deviations of each channel of a strip.
template <class T>
void channel_moments(const Geometry& g, const T* x, float* mean, float* deviation) {
  const Vec pivot = load(x);
  Vec s0{}, s1{}, q0{}, q1{};
  std::int64_t p = 0;
  for (; p + 2 <= g.pixels; p += 2) {
    prefetch(x + p * g.block);
    const Vec a = load(x + p * g.block) - pivot, b = load(x + (p + 1) * g.block) - pivot;
    s0 += a;
    s1 += b;
    q0 += a * a;
    q1 += b * b;
  }
  if (p < g.pixels) {
    const Vec a = load(x + p * g.block) - pivot;
    s0 += a;
    q0 += a * a;
  }
  const Vec s = s0 + s1, average = s * splat(1.f / float(g.pixels));
  store(mean, pivot + average);
  store(deviation, max((q0 + q1) - s * average, Vec{}));
}

// Merges channel moments into statistics of groups [first_group, end_group): stats[group] = {mean, 1 /
// standard deviation}.
void group_statistics(const GroupNormSpec& spec, const Geometry& g, std::int64_t first_group,
                      std::int64_t end_group, const float* mean, const float* deviation, const float* shift,
                      float* stats) {
  const double count = double(g.group_channels) * double(g.pixels);
  for (std::int64_t group = first_group; group < end_group; ++group) {
    const std::int64_t first = group * g.group_channels, end = first + g.group_channels;
    double total = 0;
    for (std::int64_t c = first; c < end; ++c) total += double(mean[c]) + (shift ? double(shift[c]) : 0.0);
    const double group_mean = total / double(g.group_channels);
    double squares = 0;
    for (std::int64_t c = first; c < end; ++c) {
      const double d = double(mean[c]) + (shift ? double(shift[c]) : 0.0) - group_mean;
      squares += double(deviation[c]) + double(g.pixels) * d * d;
    }
    stats[2 * group] = float(group_mean);
    stats[2 * group + 1] = float(1.0 / std::sqrt(squares / count + spec.eps));
  }
}

// Parameters of one sample seen per channel.
struct ChannelView {
  const float* shift = nullptr;  // shift_before
  const float* scale = nullptr;  // scale_shift_after
  const float* bias = nullptr;
};

ChannelView view_of(const GroupNormSpec& spec, const float* modulation, std::int64_t n) {
  const std::int64_t c = spec.shape.channels;
  if (spec.modulation == Modulation::shift_before) return {modulation + n * c, nullptr, nullptr};
  if (spec.modulation == Modulation::scale_shift_after)
    return {nullptr, modulation + n * 2 * c, modulation + n * 2 * c + c};
  return {};
}

// z = x * slope + offset is what the activation sees; channels that only fill a block get zeros.
void channel_coefficients(const Geometry& g, std::int64_t first, std::int64_t end, const float* gamma,
                          const float* beta, const ChannelView& m, const float* stats, float* slope,
                          float* offset) {
  for (std::int64_t c = first; c < end; ++c) {
    if (c >= g.channels) {
      slope[c] = offset[c] = 0;
      continue;
    }
    const float* group = stats + 2 * (c / g.group_channels);
    const float gain = m.scale ? 1.f + m.scale[c] : 1.f;
    const float a = group[1] * gamma[c] * gain;
    const float center = group[0] - (m.shift ? m.shift[c] : 0.f);
    slope[c] = a;
    offset[c] = beta[c] * gain + (m.bias ? m.bias[c] : 0.f) - center * a;
  }
}

template <Activation kind, class T>
void apply_strip(const Geometry& g, const T* x, T* y, const float* slope, const float* offset) {
  const Vec a = load(slope), b = load(offset);
  for (std::int64_t p = 0; p < g.pixels; ++p) {
    prefetch_to_write(y + p * g.block);
    store(y + p * g.block, activate<kind, T>(load(x + p * g.block) * a + b));
  }
}

// Channels that one thread normalizes without the others: a whole sample if there are enough samples, else as
// few strips as hold whole groups.
std::int64_t section_channels(const GroupNormSpec& spec, const Geometry& g) {
  if (spec.shape.n >= spec.threads) return g.stored;
  std::int64_t channels = kLanes;
  while (channels % g.group_channels != 0) channels += kLanes;
  return channels < g.stored ? channels : g.stored;
}

template <class T>
void forward(const GroupNormSpec& spec, const GroupNormForward& f) {
  const Geometry g = geometry_of(spec);
  const T* x = static_cast<const T*>(f.x);
  T* y = static_cast<T*>(f.y);
  const auto moments = [&](std::int64_t n, std::int64_t c, float* w) {
    channel_moments(g, x + n * g.sample + channel_offset(spec.shape, c), w + c, w + g.stored + c);
  };
  const auto coefficients = [&](std::int64_t n, std::int64_t first, std::int64_t end, float* w) {
    const ChannelView m = view_of(spec, f.modulation, n);
    float* stats = f.stats + n * 2 * spec.groups;
    group_statistics(spec, g, first / g.group_channels,
                     end < g.channels ? end / g.group_channels : spec.groups, w, w + g.stored, m.shift,
                     stats);
    channel_coefficients(g, first, end, f.gamma, f.beta, m, stats, w + 2 * g.stored, w + 3 * g.stored);
  };
  const auto apply = [&](std::int64_t n, std::int64_t c, const float* w) {
    const std::int64_t at = n * g.sample + channel_offset(spec.shape, c);
    with_activation(spec.activation, [&]<Activation kind>() {
      apply_strip<kind>(g, x + at, y + at, w + 2 * g.stored + c, w + 3 * g.stored + c);
    });
  };

  const std::int64_t section = section_channels(spec, g), sections = (g.stored + section - 1) / section;
  if (spec.shape.n * sections >= spec.threads) {
#pragma omp parallel for schedule(static) num_threads(spec.threads)
    for (std::int64_t job = 0; job < spec.shape.n * sections; ++job) {
      float* w = f.workspace + omp_get_thread_num() * 4 * g.stored;
      const std::int64_t n = job / sections, first = job % sections * section,
                         end = first + section < g.stored ? first + section : g.stored;
      for (std::int64_t c = first; c < end; c += kLanes) moments(n, c, w);
      coefficients(n, first, end, w);
      for (std::int64_t c = first; c < end; c += kLanes) apply(n, c, w);
    }
    return;
  }
  for (std::int64_t n = 0; n < spec.shape.n; ++n) {
    float* w = f.workspace;
#pragma omp parallel num_threads(spec.threads)
    {
#pragma omp for schedule(static)
      for (std::int64_t c = 0; c < g.stored; c += kLanes) moments(n, c, w);
#pragma omp single
      coefficients(n, 0, g.stored, w);
#pragma omp for schedule(static)
      for (std::int64_t c = 0; c < g.stored; c += kLanes) apply(n, c, w);
    }
  }
}

// First sweep over a strip: dz (kept for the second sweep), and per channel the sums of dz, dz (x - center)
// and (x - center).
struct StripSums {
  float *dz, *dz_x, *x;
};

template <Activation kind, class T>
void sum_strip(const Geometry& g, const T* x, const T* dy, float* dz, const float* slope, const float* offset,
               const float* center, const StripSums& sums) {
  const Vec a = load(slope), b = load(offset), m = load(center);
  Vec sum_dz{}, sum_dz_x{}, sum_x{};
  for (std::int64_t p = 0; p < g.pixels; ++p) {
    prefetch(x + p * g.block);
    prefetch(dy + p * g.block);
    const Vec xp = load(x + p * g.block);
    Vec d = load(dy + p * g.block);
    if constexpr (kind != Activation::none) d *= activate_slope<kind, T>(xp * a + b);
    store(dz + p * kLanes, d);
    const Vec centered = xp - m;
    sum_dz += d;
    sum_dz_x += d * centered;
    sum_x += centered;
  }
  store(sums.dz, sum_dz);
  store(sums.dz_x, sum_dz_x);
  store(sums.x, sum_x);
}

// Second sweep: dx (+)= dz * a + x * b + c.
template <class T>
void input_grad_strip(const Geometry& g, const T* x, const float* dz, T* dx, bool accumulate,
                      const float* slope, const float* x_factor, const float* constant) {
  const Vec a = load(slope), b = load(x_factor), c = load(constant);
  if (accumulate) {
    for (std::int64_t p = 0; p < g.pixels; ++p) {
      prefetch_to_write(dx + p * g.block);
      store(dx + p * g.block,
            load(dx + p * g.block) + (load(dz + p * kLanes) * a + (load(x + p * g.block) * b + c)));
    }
  } else {
    for (std::int64_t p = 0; p < g.pixels; ++p) {
      prefetch_to_write(dx + p * g.block);
      store(dx + p * g.block, load(dz + p * kLanes) * a + (load(x + p * g.block) * b + c));
    }
  }
}

// Per-channel rows of the backward workspace.
enum Row { kSlope, kOffset, kCenter, kSumDz, kSumDzX, kSumX, kXFactor, kConstant, kDGamma, kDBeta, kRows };

// From the sums to the coefficients of the second sweep and the gradients of everything per channel.
void channel_gradients(const GroupNormSpec& spec, const Geometry& g, const GroupNormBackward& b,
                       std::int64_t n, const ChannelView& m, const float* stats, float* const* row) {
  const double count = double(g.group_channels) * double(g.pixels);
  for (std::int64_t c = g.channels; c < g.stored; ++c) row[kXFactor][c] = row[kConstant][c] = 0;
  for (int group = 0; group < spec.groups; ++group) {
    const std::int64_t first = group * g.group_channels, end = first + g.group_channels;
    const double rstd = stats[2 * group + 1];
    double sum_grad = 0, sum_grad_x = 0;  // of d/d(normalized x), and times normalized x
    for (std::int64_t c = first; c < end; ++c) {
      const double gain = double(b.gamma[c]) * (m.scale ? 1.0 + double(m.scale[c]) : 1.0);
      sum_grad += gain * double(row[kSumDz][c]);
      sum_grad_x += gain * double(row[kSumDzX][c]) * rstd;
    }
    const double x_factor = -rstd * rstd * sum_grad_x / count, constant = -rstd * sum_grad / count;
    for (std::int64_t c = first; c < end; ++c) {
      const float gain = m.scale ? 1.f + m.scale[c] : 1.f;
      const float dz = row[kSumDz][c], dz_normalized = row[kSumDzX][c] * float(rstd);
      row[kXFactor][c] = float(x_factor);
      row[kConstant][c] = float(constant - x_factor * double(row[kCenter][c]));
      row[kDGamma][c] += gain * dz_normalized;
      row[kDBeta][c] += gain * dz;
      if (!b.dmodulation) continue;
      if (m.shift) {
        float& d = b.dmodulation[n * g.channels + c];
        const double sum_dx = double(row[kSlope][c]) * double(dz) + x_factor * double(row[kSumX][c]) +
                              constant * double(g.pixels);
        d = (b.accumulate_dmodulation ? d : 0.f) + float(sum_dx);
      } else {
        float& dscale = b.dmodulation[n * 2 * g.channels + c];
        float& dbias = b.dmodulation[n * 2 * g.channels + g.channels + c];
        dscale = (b.accumulate_dmodulation ? dscale : 0.f) + b.gamma[c] * dz_normalized + b.beta[c] * dz;
        dbias = (b.accumulate_dmodulation ? dbias : 0.f) + dz;
      }
    }
  }
}

template <class T>
void backward(const GroupNormSpec& spec, const GroupNormBackward& b) {
  const Geometry g = geometry_of(spec);
  const std::int64_t per_thread = kRows * g.stored + g.sample;
#pragma omp parallel num_threads(spec.threads)
  {
    float* w = b.workspace + omp_get_thread_num() * per_thread;
    float* row[kRows];
    for (int r = 0; r < kRows; ++r) row[r] = w + r * g.stored;
    float* dz = w + kRows * g.stored;
    for (std::int64_t c = 0; c < g.stored; ++c) row[kDGamma][c] = row[kDBeta][c] = 0;

#pragma omp for schedule(static)
    for (std::int64_t n = 0; n < spec.shape.n; ++n) {
      const ChannelView m = view_of(spec, b.modulation, n);
      const float* stats = b.stats + n * 2 * spec.groups;
      channel_coefficients(g, 0, g.stored, b.gamma, b.beta, m, stats, row[kSlope], row[kOffset]);
      for (std::int64_t c = 0; c < g.stored; ++c)
        row[kCenter][c] =
            c < g.channels ? stats[2 * (c / g.group_channels)] - (m.shift ? m.shift[c] : 0.f) : 0.f;
      for (int strip = 0; strip < g.strips; ++strip) {
        const std::int64_t at = n * g.sample + channel_offset(spec.shape, strip * kLanes), c = strip * kLanes;
        with_activation(spec.activation, [&]<Activation kind>() {
          sum_strip<kind>(g, static_cast<const T*>(b.x) + at, static_cast<const T*>(b.dy) + at,
                          dz + c * g.pixels, row[kSlope] + c, row[kOffset] + c, row[kCenter] + c,
                          {row[kSumDz] + c, row[kSumDzX] + c, row[kSumX] + c});
        });
      }
      channel_gradients(spec, g, b, n, m, stats, row);
      if (!b.dx) continue;
      for (int strip = 0; strip < g.strips; ++strip) {
        const std::int64_t at = n * g.sample + channel_offset(spec.shape, strip * kLanes), c = strip * kLanes;
        input_grad_strip(g, static_cast<const T*>(b.x) + at, dz + c * g.pixels, static_cast<T*>(b.dx) + at,
                         b.accumulate_dx, row[kSlope] + c, row[kXFactor] + c, row[kConstant] + c);
      }
    }
#pragma omp single
    for (int thread = 0; thread < omp_get_num_threads(); ++thread) {
      const float* part = b.workspace + thread * per_thread;
      for (std::int64_t c = 0; c < g.channels; ++c) {
        if (b.dgamma) b.dgamma[c] += part[kDGamma * g.stored + c];
        if (b.dbeta) b.dbeta[c] += part[kDBeta * g.stored + c];
      }
    }
  }
}

}  // namespace

std::size_t group_norm_forward_workspace(const GroupNormSpec& spec) {
  return std::size_t(4 * spec.shape.stored_channels() * spec.threads);
}

std::size_t group_norm_backward_workspace(const GroupNormSpec& spec) {
  return std::size_t((kRows * spec.shape.stored_channels() + spec.shape.sample_elements()) * spec.threads);
}

void group_norm_forward(const GroupNormSpec& spec, const GroupNormForward& f) {
  spec.bf16 ? forward<bf16>(spec, f) : forward<float>(spec, f);
}

void group_norm_backward(const GroupNormSpec& spec, const GroupNormBackward& b) {
  spec.bf16 ? backward<bf16>(spec, b) : backward<float>(spec, b);
}

}  // namespace diffusion::DIFFUSION_ISA
