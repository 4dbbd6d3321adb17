#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace diffusion {

// The means over the pixels of each of the maps, [N, C, pixels] to [N, C].
std::vector<float> means_over_pixels(std::span<const float> maps, std::size_t pixels);

// The gradient of the maps, [N, C, pixels], from that of their means, [N, C].
void spread_over_pixels(std::span<const float> of_means, std::size_t pixels, std::span<float> of_maps);

// The place of the largest value, of the first one if there are several.
int index_of_largest(std::span<const float> values);

}  // namespace diffusion
