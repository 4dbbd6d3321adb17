// The gradient of the kernels of 3x3 convolutions with stride 1 and a border of 1, as winograd_f32.h has it:
// the transformed input and gradient of some tiles at a time, multiplied while they are in the cache.

#include <omp.h>

#include "device/cpu/kernels/gemm.h"
#include "device/cpu/kernels/kernels.h"
#include "device/cpu/kernels/winograd_f32.h"

namespace diffusion::DIFFUSION_ISA {

namespace {

using namespace winograd_f32;

constexpr std::int64_t kChunkBytes = 1 << 20;     // of V and Z in flight in a thread
constexpr std::int64_t kLeastTiles = 16;          // in flight
constexpr std::int64_t kLeastTilesOfThread = 64;  // in all: each has a dU of its own

struct WeightGrad {
  const WinogradSpec& s;
  Tiles tiles;
  std::int64_t in, out, count, chunk;  // stored channels; tiles of all images and in flight in a thread
  std::int64_t adders;                 // threads that sum over tiles

  explicit WeightGrad(const WinogradSpec& spec)
      : s(spec),
        tiles(spec, kSide),
        in(spec.x.stored_channels()),
        out(spec.y.stored_channels()),
        count(spec.x.n * tiles.per_image()) {
    const std::int64_t fitting = kChunkBytes / (kPositions * (in + out) * 4);
    chunk = smaller(fitting < kLeastTiles ? kLeastTiles : fitting, count);
    adders = smaller(count < kLeastTilesOfThread ? 1 : count / kLeastTilesOfThread, spec.threads);
  }

  // Floats from one position to the next.
  std::int64_t v_position() const { return position_bytes(chunk * in * 4) / 4; }
  std::int64_t z_position() const { return position_bytes(chunk * out * 4) / 4; }
  std::int64_t du_floats() const { return kPositions * in * out; }
  // An adder's dU, sums of dy, V and Z.
  std::int64_t adder_floats() const { return du_floats() + out + kPositions * (v_position() + z_position()); }

  // Z: [position][tile][output channel]. Adds dy to `sums` [output channel].
  void fill_z(const float* dy, const Run& run, std::int64_t at, float* z, float* sums) const {
    const std::int64_t position = z_position(), step = s.y.block, row = s.width * step;
    const float* image = dy + run.image * s.y.sample_elements();
    for (std::int64_t c = 0; c < out; c += kLanes) {
      PixelRow<float> rows[2 * kSide];  // and those of the tiles below
      for (int i = 0; i < 2 * kSide; ++i)
        rows[i] = PixelRow(image + channel_offset(s.y, c), row, kSide * run.row + i, s.height);
      Vec sum = load(sums + c);
      for (std::int64_t k = 0; k < run.count; ++k) {
        const std::int64_t left = kSide * (run.column + k) * step;
        for (int i = kSide; i < 2 * kSide; ++i)
          for (std::int64_t j = 0; j < kSide * step; j += kLineFloats) rows[i].prefetch(left + j);
        Vec t[kSide][kTile], values[kPositions];
        for (int j = 0; j < kSide; ++j) {
          Vec pixels[kSide] = {};
          if (left + j * step < row)
            for (int i = 0; i < kSide; ++i) pixels[i] = rows[i].at(left + j * step);
          sum += (pixels[0] + pixels[1]) + (pixels[2] + pixels[3]);
          transform_output_grad(pixels, t[j], 1);
        }
        for (int i = 0; i < kTile; ++i)
          transform_output_grad({t[0][i], t[1][i], t[2][i], t[3][i]}, values + kTile * i, 1);
        float* to = z + (at + k) * out + c;
        for (int p = 0; p < kPositions; ++p, to += position) store(to, values[p]);
      }
      store(sums + c, sum);
    }
  }

  // dU: [position][input channel][output channel]
  void multiply(const float* v, const float* z, std::int64_t in_flight, bool accumulate, float* du) const {
    for (int p = 0; p < kPositions; ++p)
      gemm(in, out,
           {v + p * v_position(), 1, in, z + p * z_position(), out, du + p * in * out, out, in_flight,
            accumulate});
  }

  // dU and the sums of dy of tiles [begin, end).
  void sum_tiles(const float* x, const float* dy, std::int64_t begin, std::int64_t end, float* du) const {
    float* sums = du + du_floats();
    float* v = sums + out;
    float* z = v + kPositions * v_position();
    for (std::int64_t i = begin < end ? du_floats() : 0; i < du_floats() + out; ++i) du[i] = 0;
    for (std::int64_t first = begin; first < end; first += chunk) {
      const std::int64_t in_flight = smaller(end - first, chunk);
      for_runs(tiles, first, in_flight, [&](const Run& run, std::int64_t at) {
        fill_v(s, x, run, at, v_position(), v);
        fill_z(dy, run, at, z, sums);
      });
      multiply(v, z, in_flight, first > begin, du);
    }
  }

  // Adds the gradients that dU and the sums of dy mean for kLanes output channels from `o`.
  void add_to(const float* du, std::int64_t o, float* dweight, float* dbias) const {
    const std::int64_t known = smaller(s.y.channels - o, kLanes);
    for (std::int64_t i = 0; i < s.x.channels; ++i) {
      Vec t[kTile][3];
      const float* from = du + i * out + o;
      for (int j = 0; j < kTile; ++j) {
        const auto at = [&](int k) { return load(from + (kTile * k + j) * in * out); };
        transform_kernel_grad({at(0), at(1), at(2), at(3), at(4), at(5)}, t[j]);
      }
      float taps[9][kLanes];
      for (int k = 0; k < 3; ++k) {
        Vec dg[3];
        transform_kernel_grad({t[0][k], t[1][k], t[2][k], t[3][k], t[4][k], t[5][k]}, dg);
        for (int j = 0; j < 3; ++j) store(taps[3 * k + j], dg[j]);
      }
      for (std::int64_t lane = 0; lane < known; ++lane) {
        float* kernel = dweight + ((o + lane) * s.x.channels + i) * 9;
        for (int tap = 0; tap < 9; ++tap) kernel[tap] += taps[tap][lane];
      }
    }
    for (std::int64_t lane = 0; dbias && lane < known; ++lane) dbias[o + lane] += du[du_floats() + o + lane];
  }

  void run(const float* x, const float* dy, float* dweight, float* dbias, float* sums) const {
#pragma omp parallel num_threads(s.threads)
    {
      for (std::int64_t adder = omp_get_thread_num(); adder < adders; adder += omp_get_num_threads())
        sum_tiles(x, dy, count * adder / adders, count * (adder + 1) / adders, sums + adder * adder_floats());
#pragma omp barrier
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < du_floats() + out; i += kLanes) {
        Vec sum = load(sums + i);
        for (std::int64_t other = 1; other < adders; ++other) sum += load(sums + other * adder_floats() + i);
        store(sums + i, sum);
      }
#pragma omp for schedule(static)
      for (std::int64_t o = 0; o < out; o += kLanes) add_to(sums, o, dweight, dbias);
    }
  }
};

}  // namespace

std::size_t winograd_f32_weight_grad_workspace(const WinogradSpec& spec) {
  const WeightGrad g(spec);
  return std::size_t(g.adder_floats() * g.adders);
}

// Every thread sums over tiles of its own; shared sums would move between the caches of the cores.
void winograd_f32_weight_grad(const WinogradSpec& spec, const float* x, const float* dy, float* dweight,
                              float* dbias, float* workspace) {
  WeightGrad(spec).run(x, dy, dweight, dbias, workspace);
}

}  // namespace diffusion::DIFFUSION_ISA
