#pragma once

// The samplers themselves, as the table in samplers.cpp calls them; what each is, is said there. Arguments
// are those of SamplerFunction and already checked.

#include "diffusion/samplers.h"

namespace diffusion::sampling {

// sampler_stochastic.cpp
void ddpm(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
          std::span<double> x, const StepCallback&);
void ddim(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
          std::span<double> x, const StepCallback&);
void euler_ancestral(const Denoiser&, std::span<const double> sigmas, const NoiseSource&,
                     const SamplerOptions&, std::span<double> x, const StepCallback&);
void edm(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
         std::span<double> x, const StepCallback&);
void consistency(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
                 std::span<double> x, const StepCallback&);

// sampler_single_step.cpp
void euler(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
           std::span<double> x, const StepCallback&);
void heun(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
          std::span<double> x, const StepCallback&);
void dpm2(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
          std::span<double> x, const StepCallback&);
void flow_heun(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
               std::span<double> x, const StepCallback&);

// sampler_dpmpp.cpp
void dpmpp_2m(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
              std::span<double> x, const StepCallback&);
void dpmpp_3m(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
              std::span<double> x, const StepCallback&);
void dpmpp_2m_sde(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
                  std::span<double> x, const StepCallback&);
void dpmpp_3m_sde(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
                  std::span<double> x, const StepCallback&);

// sampler_unipc.cpp
void unipc_2(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
             std::span<double> x, const StepCallback&);
void unipc_3(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
             std::span<double> x, const StepCallback&);

// sampler_adams.cpp
void deis_2(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
            std::span<double> x, const StepCallback&);
void deis_3(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
            std::span<double> x, const StepCallback&);
void lms(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
         std::span<double> x, const StepCallback&);
void ipndm(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
           std::span<double> x, const StepCallback&);
void pndm(const Denoiser&, std::span<const double> sigmas, const NoiseSource&, const SamplerOptions&,
          std::span<double> x, const StepCallback&);

}  // namespace diffusion::sampling
