#include "diffusion/param_layout.h"

namespace diffusion {

ParamLayout layout_of(const NetworkConfig& config) {
  const NetworkTraits traits = traits_of(config);
  const auto side = [&](int size) { return size > 0 ? size : traits.size_multiple; };
  return ParamLayout(make_network(config, 1, side(traits.sample_size[0]), side(traits.sample_size[1])).graph);
}

}  // namespace diffusion
