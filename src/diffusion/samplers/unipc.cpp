#include "diffusion/samplers/walks.h"

#include <array>
#include <cmath>
#include <utility>

#include "diffusion/samplers/history.h"

namespace diffusion {

namespace {

using Weights = std::array<double, 3>;

// Solves sum_j rho_j r_j^k = b_k, k = 0 .. count-1, for distinct r (Gaussian elimination; the systems are
// tiny).
Weights solve_powers(const Weights& r, Weights b, std::size_t count) {
  std::array<Weights, 3> a{};
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t j = 0; j < count; ++j) a[k][j] = std::pow(r[j], double(k));
  for (std::size_t column = 0; column < count; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < count; ++row)
      if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
    std::swap(a[column], a[pivot]);
    std::swap(b[column], b[pivot]);
    for (std::size_t row = 0; row < count; ++row) {
      if (row == column) continue;
      const double factor = a[row][column] / a[column][column];
      for (std::size_t k = column; k < count; ++k) a[row][k] -= factor * a[column][k];
      b[row] -= factor * b[column];
    }
  }
  for (std::size_t j = 0; j < count; ++j) b[j] /= a[j][j];
  return b;
}

// A step of the prediction or the correction (Zhao et al. 2023, arXiv 2302.04867, eq. 3 and 8) that predicts
// D, h the step in lambda = -log sigma:
//   x_next = exp(-h) x + (1 - exp(-h)) D - B(h) sum_j rho_j (D_j - D) / r_j,    B(h) = exp(-h) - 1 ("bh2") or
//                                                                               -h ("bh1"),
// D_j at lambda + r_j h, and rho such that the step is exact for polynomial D, whatever B. The rho of one
// value is 1/2 instead, so that B does matter. Here all rho are for bh2.
class BhStep {
 public:
  BhStep(double sigma, double sigma_next, bool bh1)
      : h_(std::log(sigma / sigma_next)), sigma_(sigma), bh1_(bh1) {}

  // An earlier D, at `sigma`.
  void add_earlier(double sigma, std::span<const double> d) { add(std::log(sigma_ / sigma) / h_, d); }
  // That at the end of the step, for the correction.
  void add_end(std::span<const double> d) { add(1, d); }

  void apply(std::span<const double> x, std::span<const double> d, std::span<double> x_next) const {
    const double keep = std::exp(-h_);
    const Weights rho = weights();
    for (std::size_t k = 0; k < x.size(); ++k) {
      double estimate = d[k];
      for (std::size_t j = 0; j < count_; ++j) estimate += rho[j] * (d_[j][k] - d[k]) / r_[j];
      x_next[k] = keep * x[k] + (1 - keep) * estimate;
    }
  }

 private:
  void add(double r, std::span<const double> d) {
    r_[count_] = r;
    d_[count_++] = d;
  }

  Weights weights() const {
    const double hh = -h_, b_h = std::expm1(hh);
    if (count_ <= 1) return {bh1_ ? 0.5 * hh / b_h : 0.5};
    Weights b{};
    double phi = b_h / hh - 1, factorial = 1;
    for (std::size_t k = 0; k < count_; ++k) {
      b[k] = phi * factorial / b_h;
      factorial *= double(k + 2);
      phi = phi / hh - 1 / factorial;
    }
    return solve_powers(r_, b, count_);
  }

  double h_, sigma_;
  bool bh1_;
  Weights r_{};
  std::array<std::span<const double>, 3> d_;
  std::size_t count_ = 0;
};

}  // namespace

// Predicts x at the next level from this D and earlier ones; when D is known there, first corrects the step
// that led there.
SamplerCoroutine walk(Unipc unipc, SamplerState& state) {
  const std::span<const double> sigmas = state.sigmas;
  const std::span<double> x = state.x;
  const CarefulEnd careful = unipc.lower_order_final ? CarefulEnd::always : CarefulEnd::never;
  History d(std::size_t(unipc.values) + 1, x.size());
  std::vector<double> before(x.size()), corrected(x.size());  // x at the level before, corrected
  int order = 0;                                              // of the latest step
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const std::span<double> newest = d.push();
    co_yield Question{x, sigmas[i], newest};
    if (i > 0) {
      BhStep correction(sigmas[i - 1], sigmas[i], unipc.bh1);
      for (int age = 1; age < order; ++age)
        correction.add_earlier(sigmas[i - 1 - std::size_t(age)], d[std::size_t(age) + 1]);
      correction.add_end(d[0]);
      correction.apply(before, d[1], corrected);
    } else {
      corrected.assign(x.begin(), x.end());
    }
    order = order_of_step(unipc.values, i, sigmas, careful);
    BhStep prediction(sigmas[i], sigmas[i + 1], unipc.bh1);
    for (int age = 1; age < order; ++age)
      prediction.add_earlier(sigmas[i - std::size_t(age)], d[std::size_t(age)]);
    prediction.apply(corrected, d[0], x);
    std::swap(before, corrected);
    state.report(i, d[0]);
  }
}

}  // namespace diffusion
