#include <algorithm>
#include <cmath>
#include <vector>

#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

// X <- a X + b X X^T X + c (X X^T)^2 X, five times, from X of norm 1 (Jordan et al. 2024).
void orthogonalize(std::vector<double>& x, std::size_t rows, std::size_t columns) {
  constexpr int kIterations = 5;
  constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;
  double squares = 0;
  for (const double v : x) squares += v * v;
  if (!(squares > 0)) return;
  for (double& v : x) v /= std::sqrt(squares);
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    std::vector<double> gram(rows * rows), once(x.size()), twice(x.size());
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < rows; ++j)
        for (std::size_t k = 0; k < columns; ++k)
          gram[i * rows + j] += x[i * columns + k] * x[j * columns + k];
    const auto apply = [&](const std::vector<double>& from, std::vector<double>& to) {
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < rows; ++j)
          for (std::size_t k = 0; k < columns; ++k)
            to[i * columns + k] += gram[i * rows + j] * from[j * columns + k];
    };
    apply(x, once);
    apply(once, twice);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = kA * x[i] + kB * once[i] + kC * twice[i];
  }
}

// Computes in f64 and rounds what it stores.
class Update final : public UpdateKernel {
 public:
  explicit Update(const UpdateSpec& spec) : spec_(spec) {}

  void sum_of_squares(const Tensor& gradients, double* result) override {
    double sum = 0;
    for (std::int64_t i = 0; i < gradients.shape().elements(); ++i)
      sum += double(gradients.as<float>()[i]) * double(gradients.as<float>()[i]);
    *result = sum;
  }

  void update(const UpdateArgs& args) override {
    for (const auto& [begin, end] : spec_.adamw)
      for (std::size_t i = begin; i < end; ++i) adamw(args, i);
    for (const UpdateSpec::Matrix& matrix : spec_.muon) muon(args, matrix);
  }

 private:
  // Decays the value, moves it by -step, and lets the moving average follow.
  void move(const UpdateArgs& args, std::size_t i, double step) const {
    const UpdateContext& c = *args.context;
    const double x = double(args.values.as<float>()[i]) * (1 - c.learning_rate * spec_.weight_decay) - step;
    float& ema = args.ema.as<float>()[i];
    ema = float(c.ema_decay * double(ema) + (1 - c.ema_decay) * x);
    args.values.as<float>()[i] = float(x);
  }

  void adamw(const UpdateArgs& args, std::size_t i) const {
    const UpdateContext& c = *args.context;
    const double g = double(args.gradients.as<float>()[i]) * c.gradient_scale;
    const double m = spec_.beta1 * double(args.moment1.as<float>()[i]) + (1 - spec_.beta1) * g;
    const double v = spec_.beta2 * double(args.moment2.as<float>()[i]) + (1 - spec_.beta2) * g * g;
    args.moment1.as<float>()[i] = float(m);
    args.moment2.as<float>()[i] = float(v);
    move(args, i, c.learning_rate * (m / c.correction1) / (std::sqrt(v / c.correction2) + spec_.eps));
  }

  void muon(const UpdateArgs& args, const UpdateSpec::Matrix& matrix) const {
    const UpdateContext& c = *args.context;
    std::vector<double> step(matrix.rows * matrix.columns);
    for (std::size_t k = 0; k < step.size(); ++k) {
      const double g = double(args.gradients.as<float>()[matrix.begin + k]) * c.gradient_scale;
      float& momentum = args.moment1.as<float>()[matrix.begin + k];
      const double m = spec_.momentum * double(momentum) + g;
      momentum = float(m);
      step[k] = g + spec_.momentum * m;
    }
    orthogonalize(step, matrix.rows, matrix.columns);
    const double rate = c.learning_rate * 0.2 * std::sqrt(double(std::max(matrix.rows, matrix.columns)));
    for (std::size_t k = 0; k < step.size(); ++k) move(args, matrix.begin + k, rate * step[k]);
  }

  UpdateSpec spec_;
};

}  // namespace

std::unique_ptr<UpdateKernel> make_update(const UpdateSpec& spec) {
  return std::make_unique<Update>(spec);
}

}  // namespace diffusion::reference
