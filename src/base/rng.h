#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace diffusion {

// Counter-based random numbers (Philox4x32-10; Salmon et al. 2011, "Parallel random numbers: as easy as
// 1, 2, 3"). Every number is a pure function of (seed, stream, sample, step, position): there is no state to
// save, image k of a seed is the same alone and in any batch, and threads cannot change the result.

// What a number is for. The values are part of the file format of a training run: never renumber.
enum class Stream : std::uint32_t {
  init = 1,           // parameter initialization; sample = hash of the parameter's name
  shuffle = 2,        // data order; step = epoch
  flip = 3,           // random horizontal flip; sample = position in the batch
  label_drop = 4,     // classifier-free guidance: label dropout
  noise_level = 5,    // timestep or sigma of a training example
  train_noise = 6,    // n in x = y + sigma n
  sample_noise = 7,   // sampling; sample = image index, step 0 = the start, then one per sampler step
  dropout = 8,        // dropout masks inside the network
  shapes = 9,         // the built-in drawn data set; sample = image index
  markov_noise = 10,  // the step-by-step forward process
  transform = 11,     // random transforms of a picture (data/transforms.h)
  crop = 12,          // random crop; sample = position in the batch
  caption = 13,       // which of an image's captions is shown; sample = position in the batch
  caption_drop = 14,  // classifier-free guidance: caption dropout; sample = position in the batch
  hidden = 15,        // which values of a series are hidden; sample = position in the batch, or a series
  gap_window = 16  // the seed of a window of a series whose gaps are filled; sample = series, step = window
};

struct RandomKey {
  std::uint64_t seed = 0;
  Stream stream = Stream::init;
  std::uint32_t sample = 0;
  std::uint32_t step = 0;
};

// The four 32-bit words of one block.
std::array<std::uint32_t, 4> philox(const RandomKey& key, std::uint32_t block);

// Uniform in [0, 1), 32 bits of resolution.
double uniform(const RandomKey& key, std::uint32_t position = 0);

// Uniform integer in [0, bound), bound >= 1.
std::uint32_t uniform_below(const RandomKey& key, std::uint32_t bound, std::uint32_t position = 0);

// Standard normal numbers at positions 0, 1, ... (Box-Muller in double precision).
void fill_normal(const RandomKey& key, std::span<float> out);
void fill_normal(const RandomKey& key, std::span<double> out);

// The x that a standard normal number is below with probability u in [0, 1], within 1e-15 x. Nearer than
// 2^-33 to 0 or 1, where x would be infinite, it is as there: +-6.3.
double normal_quantile(double u);

// A pseudo-random permutation of [0, size), evaluated at one place in O(1): a Feistel network on the
// enclosing power of four, walked until it falls inside. Shuffling needs no memory and can start anywhere.
std::uint64_t permute(const RandomKey& key, std::uint64_t index, std::uint64_t size);

}  // namespace diffusion
