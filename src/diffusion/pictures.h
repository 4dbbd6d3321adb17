#pragma once

// Both directions of diffusion as pictures: a picture that drowns in noise, and pictures that come out of it.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <diffusion/generate.h>
#include <diffusion/image.h>
#include "diffusion/model.h"
#include "diffusion/schedule.h"

namespace diffusion {

// `count` whole numbers from 0 to `last`, both included, as evenly spaced as they can be: all of them if
// count > last, only `last` if count is 1. Error(usage) unless last >= 0 and count >= 1.
std::vector<int> evenly_spaced(int last, int count);

// The timesteps that show the forward process at a glance: 0, T/4, T/2, 3T/4 and T - 1, fewer if T < 5.
std::vector<int> showcase_timesteps(int num_train_timesteps);

// The picture at each of `timesteps`, x_t of q(x_t | x_0) (Ho et al. 2020, eq. 4), with x_0 in [-1, 1] and
// one noise for all of them, so that a row shows one path; limited to [-1, 1] for showing. The noise is that
// of (seed, Stream::markov_noise, sample 0, step 0), channel by channel, or the given one, [C, H, W].
// Error(usage) for a timestep outside the schedule and for noise of another size.
std::vector<Image> noise_pictures(const Image& image, const NoiseSchedule& schedule,
                                  std::span<const int> timesteps, std::uint64_t seed);
std::vector<Image> noise_pictures(const Image& image, const NoiseSchedule& schedule,
                                  std::span<const int> timesteps, std::span<const double> noise);

// Collects how generate() turns noise into pictures. Frame 0 is the noise it starts from, the last frame what
// it returns; the states are in VP form, x / sqrt(1 + sigma^2), and limited to [-1, 1].
//
//   DenoisingFrames frames(model, options, 100);
//   generate(model, device, options, [&](const GenerateStep& step) { frames.record(step); });
class DenoisingFrames {
 public:
  // At most `max_frames` >= 1 of the steps + 1 states, evenly spaced; one frame is the last. Takes the memory
  // for all.
  DenoisingFrames(const Model& model, const GenerateOptions& options, int max_frames);

  void record(const GenerateStep& step);

  // The pictures of each frame, in the order of generate().
  std::span<const std::vector<Image>> frames() const { return frames_; }

 private:
  std::vector<std::optional<std::size_t>> frame_of_state_;
  std::vector<std::vector<Image>> frames_;
  int channels_, height_, width_;
};

}  // namespace diffusion
