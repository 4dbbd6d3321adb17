#pragma once

// Pictures from linear measurements of them, y = A x + noise: from a part, from few pixels, from a blurred
// one. The model says what pictures look like, the measurement which one it is.

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include <diffusion/edit.h>

namespace diffusion {

// A linear function A of images [C, H, W] as data: its singular value decomposition A = U S V^T, V a
// Kronecker product of one small matrix for channels, rows and columns, or one large one for all numbers.
class LinearOperator {
 public:
  // [rows, columns], row after row.
  struct Matrix {
    int rows = 0, columns = 0;
    std::vector<double> values = {};
  };

  // The product of what the matrices do along channels, rows and columns; one without values does nothing.
  // `seen`, [C, H, W], leaves out numbers of the image and is only for three such. Error(usage) for matrices
  // that do not fit, that are not finite, or whose rows are linearly dependent, so that they measure
  // something twice.
  LinearOperator(std::array<int, 3> from, std::array<Matrix, 3> axes, std::vector<bool> seen = {});

  std::array<int, 3> from() const { return from_; }  // of x: C, H, W
  std::array<int, 3> to() const { return to_; }      // of y
  std::size_t input_size() const { return singular_.size(); }
  std::size_t output_size() const;

  // Of one image each, outputs as long as sizes say. Where numbers are left out, y has 0.
  void apply(std::span<const double> x, std::span<double> y) const;           // y = A x
  void transpose(std::span<const double> y, std::span<double> x) const;       // x = A^T y
  void pseudo_inverse(std::span<const double> y, std::span<double> x) const;  // x = A^+ y

  // V^T x and V c: x in the basis of right singular vectors, and back.
  void to_basis(std::span<const double> x, std::span<double> c) const;
  void from_basis(std::span<const double> c, std::span<double> x) const;
  // Of each vector of the basis; 0: not measured. What is below a thousandth of the largest counts as 0.
  std::span<const double> singular() const { return singular_; }

 private:
  struct Axis {
    Matrix a, v;  // v [n, n]: the basis, a vector in each row; without values: unit vectors
  };

  std::array<int, 3> from_, to_;
  std::array<Axis, 3> axes_;
  std::vector<bool> seen_;
  std::vector<double> singular_;
};

// A alone; [C, H, W] is the form of the images.
LinearOperator identity_operator(std::array<int, 3> form);
LinearOperator mask_operator(std::array<int, 3> form, std::vector<bool> seen);  // seen: [C, H, W]
LinearOperator shrink_operator(std::array<int, 3> form, int factor);  // means of factor x factor pixels
LinearOperator blur_operator(std::array<int, 3> form, double std);    // Gaussian, mirrored at the edges
LinearOperator gray_operator(std::array<int, 3> form);                // ITU-R 601 luma
// Any: a number of y in each row of [M, C * H * W].
LinearOperator dense_operator(std::array<int, 3> form, LinearOperator::Matrix matrix);

// How the measurement comes into sampling.
//   ddrm   Kawar et al. 2022 (arXiv 2201.11793), eta_b = 1
//   ddnm   Wang et al. 2023 (arXiv 2212.00490); with noise, DDNM+, it is ddrm
//   dps    Chung et al. 2023 (arXiv 2209.14687)
//   pigdm  Song et al. 2023 (Pseudoinverse-guided diffusion models, ICLR)
// ddrm and ddnm take steps of their own down the recipe's levels, whatever its sampler; dps and pigdm change
// D for any sampler, and need the Jacobian's products: two evaluations for one.
enum class RestoreMethod { ddrm, ddnm, dps, pigdm };
std::string_view to_string(RestoreMethod method);
RestoreMethod parse_restore_method(std::string_view name);  // Error(usage) listing the names

struct RestoreOptions {
  GenerateOptions sampling = {};  // image k is of measurement k mod their number
  RestoreMethod method = RestoreMethod::ddnm;
  double sigma = 0;       // standard deviation of the measurement's noise, x being in [-1, 1]
  double eta = 0.85;      // of ddrm and ddnm: the share of noise that is new in a step
  double dps_step = 0.5;  // of dps: its zeta', how far a step goes towards the measurement
};

// measurements: [N, M]. Error(usage) if they do not fit, are not finite, or for options out of range;
// Error(non_finite) if the network returns NaN.
std::vector<Image> restore(const Model& model, const Device& device, const LinearOperator& a,
                           std::span<const double> measurements, const RestoreOptions& options,
                           const std::function<void(const GenerateStep&)>& on_step = {});

}  // namespace diffusion
