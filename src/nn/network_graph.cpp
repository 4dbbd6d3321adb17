#include "nn/network_graph.h"

#include <fmt/format.h>

#include <algorithm>

#include <diffusion/error.h>

namespace diffusion {

const Network::Condition* Network::condition(std::string_view name) const {
  const auto found =
      std::ranges::find(conditions, name, [](const Condition& condition) { return condition.traits.name; });
  return found == conditions.end() ? nullptr : &*found;
}

void validate_image_size(int multiple, int height, int width) {
  if (height >= multiple && width >= multiple && height % multiple == 0 && width % multiple == 0) return;
  const auto nearest = [&](int side) {
    const int below = side / multiple * multiple;
    if (below == side) return fmt::format("{}", side);
    return below > 0 ? fmt::format("{} or {}", below, below + multiple) : fmt::format("{}", multiple);
  };
  int halvings = 0;
  while (1 << halvings < multiple) ++halvings;
  throw Error(
      ErrorKind::usage,
      fmt::format("images of {}x{} pixels cannot be halved {} times; each side must be a multiple of {} "
                  "(nearest: height {}, width {})",
                  height, width, halvings, multiple, nearest(height), nearest(width)));
}

}  // namespace diffusion
