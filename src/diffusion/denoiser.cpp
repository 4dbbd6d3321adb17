#include "diffusion/denoiser.h"

namespace diffusion {

void NetworkDenoiser::denoise(std::span<const double> x, double sigma, std::span<double> denoised) {
  const std::vector<SampleLevel> levels(batch_, {sigma, levels_.timestep_of(sigma)});
  evaluator_.denoise(x, levels, conditions_, denoised);
}

Denoiser NetworkDenoiser::with_labels(std::vector<int> labels) {
  return [this, labels = std::move(labels)](std::span<const double> x, double sigma,
                                            std::span<double> denoised) {
    set_labels(labels);
    denoise(x, sigma, denoised);
  };
}

}  // namespace diffusion
