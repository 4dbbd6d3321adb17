#pragma once

namespace diffusion {

// Which levels a spacing by timesteps, or by the time of a flow, comes to. Samplers differ in it because
// their papers do, and those of diffusers as they do.
//   whole_timesteps      equal steps are rounded to whole timesteps
//   real_timesteps       they are not, and sigma is linear between two timesteps
//   with_end             they are rounded, and the end is one of them: they divide by steps + 1
//   with_end_from_noise  the same
// Of a flow they are equal steps of time from 1 to 1 / T, both included (whole_timesteps, real_timesteps);
// (1 - 1 / T) (1 - i / steps) (with_end); and 1 - (1 - 1 / T) i / steps, with 1 - 1e-6 for 1
// (with_end_from_noise).
enum class LevelGrid { whole_timesteps, real_timesteps, with_end, with_end_from_noise };

}  // namespace diffusion
