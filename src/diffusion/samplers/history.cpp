#include "diffusion/samplers/history.h"

#include <algorithm>

namespace diffusion {

int order_of_step(int most, std::size_t index, std::span<const double> sigmas, CarefulEnd careful) {
  constexpr std::size_t kShortWalk = 15;
  const std::size_t steps = sigmas.size() - 1;
  if (sigmas[index + 1] == 0 || sigmas[index + 1] == sigmas[index]) return 1;
  int order = std::min(most, int(index) + 1);
  if (careful == CarefulEnd::always || (careful == CarefulEnd::short_walks && steps < kShortWalk))
    order = std::min(order, int(steps - index));
  return order;
}

}  // namespace diffusion
