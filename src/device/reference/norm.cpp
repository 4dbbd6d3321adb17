#include <cmath>

#include "device/reference/activation.h"
#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

// The stages, with h = x + m or x, and (s, b) = m or (0, 0):
//   xhat = (h - mean) / sqrt(variance + eps);  y = xhat gamma + beta;  z = y (1 + s) + b;  out = act(z)
class GroupNormKernel final : public ReferenceKernel {
 public:
  explicit GroupNormKernel(const GroupNorm& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    const Array gamma(args.in[1]), beta(args.in[2]), m = modulation(args.in);
    const Normalized xhat = normalize(Array(args.in[0]), m);
    Array out(args.out.shape());
    for_each(out.shape(), [&](auto n, auto c, auto p) {
      const double y = xhat.values(n, c, p) * gamma(0, c) + beta(0, c);
      out(n, c, p) = activate(op_.activation, y * (1 + scale(m, n, c)) + shift(m, n, c));
    });
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array gamma(args.in[1]), beta(args.in[2]), m = modulation(args.in), dout(args.dout);
    const Normalized xhat = normalize(Array(args.in[0]), m);
    const Shape& shape = dout.shape();
    Array dxhat(shape), dgamma(gamma.shape()), dbeta(beta.shape()), dm(m.shape());
    for_each(shape, [&](auto n, auto c, auto p) {
      const double y = xhat.values(n, c, p) * gamma(0, c) + beta(0, c);
      const double z = y * (1 + scale(m, n, c)) + shift(m, n, c);
      const double dz = dout(n, c, p) * activate_derivative(op_.activation, z);
      const double dy = dz * (1 + scale(m, n, c));
      if (op_.modulation == Modulation::scale_shift_after) {
        dm(n, c) += dz * y;
        dm(n, shape.c + c) += dz;
      }
      dgamma(0, c) += dy * xhat.values(n, c, p);
      dbeta(0, c) += dy;
      dxhat(n, c, p) = dy * gamma(0, c);
    });

    const Array dh = backward_through_statistics(xhat, dxhat);
    if (op_.modulation == Modulation::shift_before)
      for_each(shape, [&](auto n, auto c, auto p) { dm(n, c) += dh(n, c, p); });
    dh.store_to(args.din[0], args.mode[0]);
    dgamma.store_to(args.din[1], args.mode[1]);
    dbeta.store_to(args.din[2], args.mode[2]);
    if (op_.modulation != Modulation::none) dm.store_to(args.din[3], args.mode[3]);
  }

 private:
  struct Normalized {
    Array values;
    Array inverse_deviation;  // [N, groups, 1, 1]
  };

  template <class Visit>
  static void for_each(const Shape& shape, Visit visit) {
    for (std::int64_t n = 0; n < shape.n; ++n)
      for (std::int64_t c = 0; c < shape.c; ++c)
        for (std::int64_t p = 0; p < shape.pixels(); ++p) visit(n, c, p);
  }

  Array modulation(std::span<const Tensor> in) const {
    return op_.modulation == Modulation::none ? Array(Shape{0, 0, 1, 1}) : Array(in[3]);
  }
  double scale(const Array& m, std::int64_t n, std::int64_t c) const {
    return op_.modulation == Modulation::scale_shift_after ? m(n, c) : 0;
  }
  double shift(const Array& m, std::int64_t n, std::int64_t c) const {
    return op_.modulation == Modulation::scale_shift_after ? m(n, m.shape().c / 2 + c) : 0;
  }

  // The mean of each (sample, group): [N, groups, 1, 1].
  Array group_means(const Array& a) const {
    const std::int64_t group_channels = a.shape().c / op_.groups;
    Array means(Shape{a.shape().n, op_.groups, 1, 1});
    for_each(a.shape(), [&](auto n, auto c, auto p) {
      means(n, c / group_channels) += a(n, c, p) / double(group_channels * a.shape().pixels());
    });
    return means;
  }

  Normalized normalize(Array h, const Array& m) const {
    const std::int64_t group_channels = h.shape().c / op_.groups;
    if (op_.modulation == Modulation::shift_before)
      for_each(h.shape(), [&](auto n, auto c, auto p) { h(n, c, p) += m(n, c); });
    const Array mean = group_means(h);
    Array squares(h.shape());
    for_each(h.shape(), [&](auto n, auto c, auto p) {
      h(n, c, p) -= mean(n, c / group_channels);
      squares(n, c, p) = h(n, c, p) * h(n, c, p);
    });
    Array inverse_deviation = group_means(squares);
    for (double& variance : inverse_deviation.values()) variance = 1 / std::sqrt(variance + op_.eps);
    for_each(h.shape(),
             [&](auto n, auto c, auto p) { h(n, c, p) *= inverse_deviation(n, c / group_channels); });
    return {std::move(h), std::move(inverse_deviation)};
  }

  // dh = (dxhat - mean(dxhat) - xhat mean(dxhat xhat)) / deviation, means over the group.
  Array backward_through_statistics(const Normalized& xhat, const Array& dxhat) const {
    const Shape& shape = dxhat.shape();
    const std::int64_t group_channels = shape.c / op_.groups;
    Array products(shape), dh(shape);
    for_each(shape,
             [&](auto n, auto c, auto p) { products(n, c, p) = dxhat(n, c, p) * xhat.values(n, c, p); });
    const Array mean = group_means(dxhat), mean_product = group_means(products);
    for_each(shape, [&](auto n, auto c, auto p) {
      const std::int64_t g = c / group_channels;
      dh(n, c, p) = (dxhat(n, c, p) - mean(n, g) - xhat.values(n, c, p) * mean_product(n, g)) *
                    xhat.inverse_deviation(n, g);
    });
    return dh;
  }

  GroupNorm op_;
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(const GroupNorm& op, Mode) {
  return std::make_unique<GroupNormKernel>(op);
}

}  // namespace diffusion::reference
