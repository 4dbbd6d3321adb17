#pragma once

// What the samplers have in common that remember earlier steps.

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

namespace diffusion {

// The latest arrays of equal size, newest first. Memory of those that drop out is used again.
class History {
 public:
  History(std::size_t most, std::size_t elements) : most_(most), elements_(elements) {}

  // A new newest array with unspecified content; the oldest goes if there were `most`.
  std::span<double> push() {
    std::vector<double> next;
    if (arrays_.size() == most_) {
      next = std::move(arrays_.back());
      arrays_.pop_back();
    }
    next.resize(elements_);
    arrays_.push_front(std::move(next));
    return arrays_.front();
  }

  std::size_t size() const { return arrays_.size(); }
  const std::vector<double>& operator[](std::size_t age) const { return arrays_.at(age); }

 private:
  std::size_t most_, elements_;
  std::deque<std::vector<double>> arrays_;
};

// The order of step `index` of solvers over log sigma, as in diffusers: the first steps have no history, a
// step to 0 (an infinite step in log sigma) is of first order, and short walks become careful at the end. A
// step that stays at its level is of first order, too, where it does nothing.
enum class CarefulEnd { never, short_walks, always };
int order_of_step(int most, std::size_t index, std::span<const double> sigmas, CarefulEnd careful);

}  // namespace diffusion
