#include <diffusion/sampling.h>

namespace diffusion {

void SamplerState::report(std::size_t index, std::span<const double> denoised) const {
  if (on_step) on_step({int(index), steps(), sigmas[index], sigmas[index + 1], denoised, x});
}

void SamplerCoroutine::resume() {
  promise_type& promise = handle_.promise();
  promise.question.reset();
  handle_.resume();
  if (promise.error) std::rethrow_exception(std::exchange(promise.error, {}));
}

}  // namespace diffusion
