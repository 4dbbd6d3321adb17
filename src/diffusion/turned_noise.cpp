#include "diffusion/turned_noise.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <diffusion/edit.h>
#include "diffusion/picture_walk.h"

namespace diffusion {

NoiseSource noise_of_one(const GenerateOptions& image, std::size_t size) {
  return [=, drawn = image_noise(image.seed, std::uint32_t(image.first), size)](int draw,
                                                                                std::span<double> out) {
    if (draw == 0)
      start_noise(image, 0, out, size);
    else
      drawn(draw, out);
  };
}

NoiseSource turned_noise(NoiseSource from, NoiseSource to, std::vector<double> shares, std::size_t size) {
  return [from = std::move(from), to = std::move(to), shares = std::move(shares), size](
             int draw, std::span<double> out) {
    std::vector<double> a(size), b(size);
    from(draw, a);
    to(draw, b);
    for (std::size_t k = 0; k < shares.size(); ++k)
      std::ranges::copy(slerp(a, b, shares[k]), out.begin() + std::ptrdiff_t(k * size));
  };
}

}  // namespace diffusion
