#pragma once

// A sampling that can stop between two evaluations and go on later, without a thread of its own. Whoever
// drives it decides what is evaluated together:
//
//   Sampling sampling(Heun{}, sigmas, x, image_noise(seed, 0, x.size()));
//   while (const Question* question = sampling.question()) {
//     denoise(question->x, question->sigma, question->denoised);
//     sampling.answer();
//   }
//   use(sampling.x());
//
// The result does not depend on what else is done in between. To cancel is to destroy it.
//
// And what samplers are written in: a coroutine that stops where it needs D, and its state.
//
//   SamplerCoroutine walk(SamplerState& state) {
//     ...
//     co_yield Question{x, sigma, denoised};   // whoever drives it writes D(x; sigma) to `denoised`
//
// Inside a co_yield expression make no objects with destructors, of which GCC 12 does not take care.
//
// A sampler's state is the VE form x = y + sigma n in double; the VP state of a discrete model is
// x / sqrt(1 + sigma^2), and that of a rectified flow is (1 - t) x with t = sigma / (1 + sigma). All are one
// ODE, dx/dsigma = (x - D(x; sigma)) / sigma.

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <diffusion/sampler.h>

namespace diffusion {

// Fills `out` with N(0, 1), as a pure function of `draw`. Draw 0 is the start of the sampling, draw i + 1
// belongs to step i of the sampler.
using NoiseSource = std::function<void(int draw, std::span<double> out)>;

// An evaluation that a sampler waits for: D(x; sigma), sigma > 0, is to be written to `denoised`, which is as
// long as x and is not x.
struct Question {
  std::span<const double> x;
  double sigma;
  std::span<double> denoised;
};

// One finished step. The spans die with the callback.
struct SamplerStep {
  int index, count;                  // 0 .. count-1
  double sigma, sigma_next;          // from where to where
  std::span<const double> denoised;  // D at sigma, or at the last level of this step that was evaluated
  std::span<const double> x;         // the state at sigma_next
};
using StepCallback = std::function<void(const SamplerStep& step)>;  // may throw, to stop

// Noise in which image k of a seed is the same bytes alone and in any batch. Throws Error(usage) when filling
// something other than whole images.
NoiseSource image_noise(std::uint64_t seed, std::uint32_t first_image, std::size_t elements_per_image);

// What a sampler works on. Its Sampling owns it.
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

class Sampling {
 public:
  // sigmas: n + 1 descending levels for n steps; x is the state at sigmas.front(). Runs to the first
  // question. on_step may be empty, and so may noise if the sampler is not stochastic. Throws Error(usage)
  // unless there are at least two sigmas, finite, strictly descending and positive but for a last 0, x is not
  // empty, and the options are in range; samplers that may ascend (SamplerFacts) also take levels that do.
  // The last sigma may also repeat the one before it: diffusers has schedulers whose last step does nothing,
  // and so does that step here.
  Sampling(Sampler sampler, std::vector<double> sigmas, std::vector<double> x, NoiseSource noise = {},
           StepCallback on_step = {});
  Sampling(Sampling&& other) noexcept;
  Sampling& operator=(Sampling&& other) noexcept;
  ~Sampling();

  // The evaluation that it waits for, valid until answer(); null: finished.
  const Question* question() const;

  // Question::denoised was written: runs on to the next question or to the end, calling on_step for each step
  // that this finishes. What the noise source and on_step throw comes out, and so does Error(non_finite) if x
  // ends with NaN or infinity; the sampling is then finished, and x of no use. Must have a question.
  void answer();

  // The state; at the end the result, at sigmas.back().
  std::span<const double> x() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace diffusion
