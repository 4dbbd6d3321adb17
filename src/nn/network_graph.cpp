#include "nn/network_graph.h"

#include <algorithm>

namespace diffusion {

const Network::Condition* Network::condition(std::string_view name) const {
  const auto found =
      std::ranges::find(conditions, name, [](const Condition& condition) { return condition.traits.name; });
  return found == conditions.end() ? nullptr : &*found;
}

}  // namespace diffusion
