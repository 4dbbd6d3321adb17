#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "device/cpu/cpu_kernels.h"
#include "device/cpu/orthogonalize.h"

namespace diffusion::cpu {

namespace {

class CpuUpdateKernel final : public UpdateKernel {
 public:
  CpuUpdateKernel(const UpdateSpec& spec, const Environment& env) : env_(env), spec_(spec) {
    std::ranges::stable_sort(spec_.muon, std::ranges::greater{},
                             size_of_matrix);  // the longest work first
    for (const UpdateSpec::Matrix& m : spec_.muon) {
      largest_ = std::max(largest_, size_of_matrix(m));
      workspace_ = std::max(workspace_, orthogonalize_workspace(*env_.table, m.rows, m.columns));
    }
  }

  void sum_of_squares(const Tensor& gradients, double* result) override {
    *result = env_.table->sum_of_squares(gradients.shape().elements(), gradients.as<float>(), env_.threads);
  }

  void update(const UpdateArgs& args) override {
    if (!spec_.muon.empty()) update_matrices(args);
    const UpdateContext& c = *args.context;
    const AdamWSpec adamw{.learning_rate = c.learning_rate,
                          .beta1 = spec_.beta1,
                          .beta2 = spec_.beta2,
                          .eps = spec_.eps,
                          .weight_decay = spec_.weight_decay,
                          .gradient_scale = c.gradient_scale,
                          .correction1 = c.correction1,
                          .correction2 = c.correction2,
                          .ema_decay = c.ema_decay};
    for (const auto& [begin, end] : spec_.adamw)
      env_.table->adamw(adamw, std::int64_t(end - begin), args.gradients.as<float>() + begin,
                        args.values.as<float>() + begin, args.moment1.as<float>() + begin,
                        args.moment2.as<float>() + begin, args.ema.as<float>() + begin, env_.threads);
  }

 private:
  static std::size_t size_of_matrix(const UpdateSpec::Matrix& m) { return m.rows * m.columns; }

  // One matrix a thread.
  void update_matrices(const UpdateArgs& args) const {
#pragma omp parallel num_threads(env_.threads)
    {
      std::vector<float> step(largest_), workspace(workspace_);
#pragma omp for schedule(dynamic)
      for (std::size_t i = 0; i < spec_.muon.size(); ++i) {
        const UpdateSpec::Matrix& matrix = spec_.muon[i];
        update_matrix(matrix, args, std::span(step).first(size_of_matrix(matrix)), workspace);
      }
    }
  }

  void update_matrix(const UpdateSpec::Matrix& matrix, const UpdateArgs& args, std::span<float> step,
                     std::span<float> workspace) const {
    const UpdateContext& c = *args.context;
    const float* gradients = args.gradients.as<float>() + matrix.begin;
    float *values = args.values.as<float>() + matrix.begin,
          *momentum = args.moment1.as<float>() + matrix.begin, *ema = args.ema.as<float>() + matrix.begin;
    const auto beta = float(spec_.momentum), scale = float(c.gradient_scale);
    const auto keep = float(1 - c.learning_rate * spec_.weight_decay);
    const auto ema_keep = float(c.ema_decay), ema_take = float(1 - c.ema_decay);
    for (std::size_t k = 0; k < step.size(); ++k) {
      const float gradient = gradients[k] * scale;
      momentum[k] = beta * momentum[k] + gradient;
      step[k] = gradient + beta * momentum[k];
    }
    orthogonalize(*env_.table, step, matrix.rows, matrix.columns, workspace);
    const auto rate = float(c.learning_rate * 0.2 * std::sqrt(double(std::max(matrix.rows, matrix.columns))));
    for (std::size_t k = 0; k < step.size(); ++k) {
      values[k] = values[k] * keep - rate * step[k];
      ema[k] = ema_keep * ema[k] + ema_take * values[k];
    }
  }

  Environment env_;
  UpdateSpec spec_;
  std::size_t largest_ = 0, workspace_ = 0;  // numbers: of a matrix, and for orthogonalizing one
};

}  // namespace

std::unique_ptr<UpdateKernel> make_update(const UpdateSpec& spec, const Environment& env) {
  return std::make_unique<CpuUpdateKernel>(spec, env);
}

}  // namespace diffusion::cpu
