#include "diffusion/rows.h"

#include <algorithm>

namespace diffusion {

Conditions conditions_of_rows(const Rows& rows, std::size_t first, std::size_t count) {
  Conditions part;
  for (const auto& [name, numbers] : rows.conditions) {
    const std::size_t size = numbers.size() / rows.count();
    const auto begin = numbers.begin() + std::ptrdiff_t(first * size);
    part[name].assign(begin, begin + std::ptrdiff_t(count * size));
  }
  return part;
}

void Rows::clear() {
  states.clear();
  levels.clear();
  conditions.clear();
}

void Rows::append(std::size_t samples, std::span<const double> more, const SampleLevel& level,
                  const Conditions& under) {
  states.insert(states.end(), more.begin(), more.end());
  levels.insert(levels.end(), samples, level);
  for (const auto& [name, numbers] : under) {
    std::vector<float>& to = conditions[name];
    to.insert(to.end(), numbers.begin(), numbers.end());
  }
}

void denoise(NetworkEvaluator& evaluator, const Rows& rows, std::size_t most, std::vector<double>& denoised) {
  denoised.resize(rows.states.size());
  const std::size_t size = evaluator.input_size();
  for (std::size_t first = 0; first < rows.count(); first += most) {
    const std::size_t count = std::min(most, rows.count() - first);
    const auto levels = std::span(rows.levels).subspan(first, count);
    const auto states = std::span(rows.states).subspan(first * size, count * size);
    const auto out = std::span(denoised).subspan(first * size, count * size);
    if (count == rows.count())
      evaluator.denoise(states, levels, rows.conditions, out);
    else
      evaluator.denoise(states, levels, conditions_of_rows(rows, first, count), out);
  }
}

}  // namespace diffusion
