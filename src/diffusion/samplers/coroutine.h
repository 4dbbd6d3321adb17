#pragma once

// What samplers are written in: a coroutine that stops where it needs D, and its state.
//
//   SamplerCoroutine walk(Euler, SamplerState& state) {
//     ...
//     co_yield Question{x, sigma, denoised};   // whoever drives it writes D(x; sigma) to `denoised`
//
// Samplers take their options by value and the state by reference; Sampling (sampling.h) owns both.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "diffusion/samplers/sampler_steps.h"

namespace diffusion {

struct SamplerState {
  std::vector<double> sigmas;  // n + 1 descending levels of n steps
  std::vector<double> x;       // comes in at sigmas.front() and goes out at sigmas.back()
  NoiseSource noise;           // may be empty if the sampler is not stochastic
  StepCallback on_step;        // may be empty

  int steps() const { return int(sigmas.size()) - 1; }

  // Step `index` is done and x is at its end.
  void report(std::size_t index, std::span<const double> denoised) const;
};

class SamplerCoroutine {
 public:
  struct promise_type {
    std::optional<Question> question;
    std::exception_ptr error;

    SamplerCoroutine get_return_object() {
      return SamplerCoroutine(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(const Question& asked) noexcept {
      question = asked;
      return {};
    }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { error = std::current_exception(); }
  };

  SamplerCoroutine(SamplerCoroutine&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  SamplerCoroutine& operator=(SamplerCoroutine&&) = delete;
  ~SamplerCoroutine() {
    if (handle_) handle_.destroy();
  }

  // Runs to the next question or to the end. What the sampler throws comes out, and then it is at its end.
  void resume();

  // What it waits for; null before the first resume() and at the end.
  const Question* question() const {
    const std::optional<Question>& asked = handle_.promise().question;
    return asked ? &*asked : nullptr;
  }

 private:
  explicit SamplerCoroutine(std::coroutine_handle<promise_type> handle) : handle_(handle) {}

  std::coroutine_handle<promise_type> handle_;
};

}  // namespace diffusion
