#include <diffusion/sampling.h>

#include <fmt/format.h>

#include <diffusion/error.h>
#include "base/rng.h"

namespace diffusion {

NoiseSource image_noise(std::uint64_t seed, std::uint32_t first_image, std::size_t elements_per_image) {
  return [=](int draw, std::span<double> out) {
    if (elements_per_image == 0 || out.size() % elements_per_image != 0)
      throw Error(ErrorKind::usage, fmt::format("{} elements of noise are not whole images of {} elements.",
                                                out.size(), elements_per_image));
    for (std::size_t image = 0; image < out.size() / elements_per_image; ++image)
      fill_normal(RandomKey{.seed = seed,
                            .stream = Stream::sample_noise,
                            .sample = first_image + std::uint32_t(image),
                            .step = std::uint32_t(draw)},
                  out.subspan(image * elements_per_image, elements_per_image));
  };
}

}  // namespace diffusion
