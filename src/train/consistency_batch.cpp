#include "train/consistency_batch.h"

#include <cmath>

namespace diffusion {

void ConsistencyBatch::make(TrainingBatch& batch, double progress) {
  const std::size_t count = batch.sigmas.size(), size = batch.input.size() / count;
  input_.resize(batch.input.size());
  timesteps_.resize(count);
  lower_.resize(count);
  error_scale_.resize(count);
#pragma omp parallel for schedule(static)
  for (std::size_t k = 0; k < count; ++k) {
    const double t = batch.sigmas[k], r = lower_level(tuning_, t, progress), shown = r > 0 ? r : t;
    const Scalings at_t = preconditioner_.scalings(t), at_r = preconditioner_.scalings(shown);
    lower_[k] = r;
    error_scale_[k] = std::abs(at_t.c_out);
    batch.weights[k] = 1 / (t - r);
    timesteps_[k] = float(at_r.c_noise);
    for (std::size_t i = k * size; i < (k + 1) * size; ++i) {
      const double x_t = batch.input[i] / at_t.c_in;
      const double y = at_t.c_skip * x_t + at_t.c_out * batch.target[i];
      input_[i] = float(at_r.c_in * (y + shown / t * (x_t - y)));
    }
  }
}

void ConsistencyBatch::set_targets(std::size_t first, std::span<const float> output,
                                   TrainingBatch& batch) const {
  const std::size_t size = batch.input.size() / batch.sigmas.size(), count = output.size() / size;
  for (std::size_t k = first; k < first + count; ++k) {
    if (lower_[k] == 0) continue;
    const Scalings at_t = preconditioner_.scalings(batch.sigmas[k]),
                   at_r = preconditioner_.scalings(lower_[k]);
    for (std::size_t i = k * size; i < (k + 1) * size; ++i) {
      const double x_t = batch.input[i] / at_t.c_in, x_r = input_[i] / at_r.c_in;
      const double d = at_r.c_skip * x_r + at_r.c_out * output[i - first * size];
      batch.target[i] = float((d - at_t.c_skip * x_t) / at_t.c_out);
    }
  }
}

}  // namespace diffusion
