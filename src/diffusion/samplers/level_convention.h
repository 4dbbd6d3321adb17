#pragma once

namespace diffusion {

// diffusers has three readings of the spacings; ours follow the scheduler that a sampler is the counterpart
// of.
//   ddpm         (DDPM, DDIM, PNDM) linspace is rounded to whole timesteps
//   k_diffusion  (Euler, Heun, LMS, KDPM2) linspace is not rounded, sigma is linear between two timesteps;
//                karras, exponential and beta span the levels of LevelSettings::range
//   dpm_solver   (DPM-Solver, DEIS) leading and linspace divide by steps + 1: the end is one of the equal
//                steps
//   unipc        (UniPC) the same
// On a flow linspace has three readings, too: from 1 to 1 / T, both included (ddpm, k_diffusion); (1 - 1 / T)
// (1 - i / steps) (dpm_solver); and 1 - (1 - 1 / T) i / steps, with 1 - 1e-6 for 1 (unipc).
enum class LevelConvention { ddpm, k_diffusion, dpm_solver, unipc };

}  // namespace diffusion
