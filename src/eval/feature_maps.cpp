#include "eval/feature_maps.h"

#include <algorithm>

namespace diffusion {

std::vector<float> means_over_pixels(std::span<const float> maps, std::size_t pixels) {
  std::vector<float> result(maps.size() / pixels);
  for (std::size_t i = 0; i < result.size(); ++i) {
    double sum = 0;
    for (const float v : maps.subspan(i * pixels, pixels)) sum += double(v);
    result[i] = float(sum / double(pixels));
  }
  return result;
}

void spread_over_pixels(std::span<const float> of_means, std::size_t pixels, std::span<float> of_maps) {
  for (std::size_t i = 0; i < of_means.size() * pixels; ++i)
    of_maps[i] = of_means[i / pixels] / float(pixels);
}

int index_of_largest(std::span<const float> values) {
  return int(std::ranges::max_element(values) - values.begin());
}

}  // namespace diffusion
