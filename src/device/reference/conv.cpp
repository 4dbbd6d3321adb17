#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

// Calls visit(n, o, i, in channel, out pixel, in pixel, weight pixel) for each product of a convolution, i
// the second index of the weight; products with padding are zero and left out.
template <class Visit>
void for_each_product(const Conv2d& op, const Shape& x, const Shape& weight, const Shape& out, Visit visit) {
  for (std::int64_t n = 0; n < x.n; ++n)
    for (std::int64_t o = 0; o < weight.n; ++o)
      for (std::int64_t i = 0; i < weight.c; ++i)
        for (std::int64_t out_row = 0; out_row < out.h; ++out_row)
          for (std::int64_t out_col = 0; out_col < out.w; ++out_col)
            for (std::int64_t ky = 0; ky < weight.h; ++ky)
              for (std::int64_t kx = 0; kx < weight.w; ++kx) {
                const std::int64_t row = out_row * op.stride + ky - op.pad_top;
                const std::int64_t col = out_col * op.stride + kx - op.pad_left;
                if (row < 0 || row >= x.h || col < 0 || col >= x.w) continue;
                visit(n, o, i, o / (weight.n / op.groups) * weight.c + i, out_row * out.w + out_col,
                      row * x.w + col, ky * weight.w + kx);
              }
}

// With `enlarged`, of x after Upsample.
class Conv2dKernel final : public ReferenceKernel {
 public:
  explicit Conv2dKernel(const Conv2d& op, bool enlarged = false) : op_(op), enlarged_(enlarged) {}

  void forward(const ForwardArgs& args) override {
    const Array x(args.in[0]), weight(args.in[1]);
    Array out(args.out.shape());
    for_each_product(op_, seen(x.shape()), weight.shape(), out.shape(),
                     [&](auto n, auto o, auto i, auto c, auto to, auto from, auto tap) {
                       out(n, o, to) += weight(o, i, tap) * x(n, c, stored(x.shape(), from));
                     });
    if (args.in.size() == 3) add_bias(Array(args.in[2]), out);
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array x(args.in[0]), weight(args.in[1]), dout(args.dout);
    Array dx(x.shape()), dweight(weight.shape());
    for_each_product(op_, seen(x.shape()), weight.shape(), dout.shape(),
                     [&](auto n, auto o, auto i, auto c, auto to, auto from, auto tap) {
                       const std::int64_t pixel = stored(x.shape(), from);
                       dx(n, c, pixel) += weight(o, i, tap) * dout(n, o, to);
                       dweight(o, i, tap) += x(n, c, pixel) * dout(n, o, to);
                     });
    dx.store_to(args.din[0], args.mode[0]);
    dweight.store_to(args.din[1], args.mode[1]);
    if (args.in.size() == 3) bias_gradient(dout).store_to(args.din[2], args.mode[2]);
  }

 private:
  // What the convolution takes for the input, and where a pixel of that is.
  Shape seen(const Shape& x) const { return enlarged_ ? Shape{x.n, x.c, 2 * x.h, 2 * x.w} : x; }
  std::int64_t stored(const Shape& x, std::int64_t pixel) const {
    return enlarged_ ? pixel / (2 * x.w) / 2 * x.w + pixel % (2 * x.w) / 2 : pixel;
  }

  static void add_bias(const Array& bias, Array& out) {
    for (std::int64_t n = 0; n < out.shape().n; ++n)
      for (std::int64_t o = 0; o < out.shape().c; ++o)
        for (std::int64_t p = 0; p < out.shape().pixels(); ++p) out(n, o, p) += bias(0, o);
  }

  static Array bias_gradient(const Array& dout) {
    Array dbias(Shape{1, dout.shape().c, 1, 1});
    for (std::int64_t n = 0; n < dout.shape().n; ++n)
      for (std::int64_t o = 0; o < dout.shape().c; ++o)
        for (std::int64_t p = 0; p < dout.shape().pixels(); ++p) dbias(0, o) += dout(n, o, p);
    return dbias;
  }

  Conv2d op_;
  bool enlarged_;
};

// The convolution that maps out to x, backwards.
class ConvTranspose2dKernel final : public ReferenceKernel {
 public:
  explicit ConvTranspose2dKernel(const ConvTranspose2d& op)
      : convolution_{op.stride, op.pad, op.pad, op.pad, op.pad} {}

  void forward(const ForwardArgs& args) override {
    const Array x(args.in[0]), weight(args.in[1]);
    Array out(args.out.shape());
    for_each_product(convolution_, out.shape(), weight.shape(), x.shape(),
                     [&](auto n, auto i, auto o, auto, auto from, auto to, auto tap) {
                       out(n, o, to) += weight(i, o, tap) * x(n, i, from);
                     });
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array x(args.in[0]), weight(args.in[1]), dout(args.dout);
    Array dx(x.shape()), dweight(weight.shape());
    for_each_product(convolution_, dout.shape(), weight.shape(), x.shape(),
                     [&](auto n, auto i, auto o, auto, auto from, auto to, auto tap) {
                       dx(n, i, from) += weight(i, o, tap) * dout(n, o, to);
                       dweight(i, o, tap) += x(n, i, from) * dout(n, o, to);
                     });
    dx.store_to(args.din[0], args.mode[0]);
    dweight.store_to(args.din[1], args.mode[1]);
  }

 private:
  Conv2d convolution_;
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(const ConvTranspose2d& op, Mode) {
  return std::make_unique<ConvTranspose2dKernel>(op);
}

std::unique_ptr<Kernel> make_kernel(const Conv2d& op, Mode) {
  return std::make_unique<Conv2dKernel>(op);
}

std::unique_ptr<Kernel> make_kernel(const UpsampleConv2d&, Mode) {
  return std::make_unique<Conv2dKernel>(Conv2d{1, 1, 1, 1, 1}, true);
}

}  // namespace diffusion::reference
