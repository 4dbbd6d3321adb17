#include <vector>

#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

// Calls visit(n, c, out pixel, the pixels of its window in rows) for every window; padding is not among them.
template <class Pool, class Visit>
void for_each_window(const Pool& op, const Shape& x, const Shape& out, Visit visit) {
  std::vector<std::int64_t> window;
  for (std::int64_t n = 0; n < x.n; ++n)
    for (std::int64_t c = 0; c < x.c; ++c)
      for (std::int64_t p = 0; p < out.pixels(); ++p) {
        window.clear();
        const std::int64_t top = p / out.w * op.stride - op.pad, left = p % out.w * op.stride - op.pad;
        for (std::int64_t row = top; row < top + op.kernel; ++row)
          for (std::int64_t col = left; col < left + op.kernel; ++col)
            if (row >= 0 && row < x.h && col >= 0 && col < x.w) window.push_back(row * x.w + col);
        visit(n, c, p, window);
      }
}

class AvgPoolKernel final : public ReferenceKernel {
 public:
  explicit AvgPoolKernel(const AvgPool& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    const Array x(args.in[0]);
    Array out(args.out.shape());
    for_each_window(op_, x.shape(), out.shape(), [&](auto n, auto c, auto p, const auto& window) {
      for (const std::int64_t pixel : window) out(n, c, p) += x(n, c, pixel) / double(window.size());
    });
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array dout(args.dout);
    Array dx(args.in[0].shape());
    for_each_window(op_, dx.shape(), dout.shape(), [&](auto n, auto c, auto p, const auto& window) {
      for (const std::int64_t pixel : window) dx(n, c, pixel) += dout(n, c, p) / double(window.size());
    });
    dx.store_to(args.din[0], args.mode[0]);
  }

 private:
  AvgPool op_;
};

class MaxPoolKernel final : public ReferenceKernel {
 public:
  explicit MaxPoolKernel(const MaxPool& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    const Array x(args.in[0]);
    Array out(args.out.shape());
    for_each_window(op_, x.shape(), out.shape(), [&](auto n, auto c, auto p, const auto& window) {
      out(n, c, p) = x(n, c, place_of_largest(x, n, c, window));
    });
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array x(args.in[0]), dout(args.dout);
    Array dx(x.shape());
    for_each_window(op_, dx.shape(), dout.shape(), [&](auto n, auto c, auto p, const auto& window) {
      dx(n, c, place_of_largest(x, n, c, window)) += dout(n, c, p);
    });
    dx.store_to(args.din[0], args.mode[0]);
  }

 private:
  static std::int64_t place_of_largest(const Array& x, std::int64_t n, std::int64_t c,
                                       const std::vector<std::int64_t>& window) {
    std::int64_t best = window.front();
    for (const std::int64_t pixel : window)
      if (x(n, c, pixel) > x(n, c, best)) best = pixel;
    return best;
  }

  MaxPool op_;
};

class MeanOfPixelsKernel final : public ReferenceKernel {
 public:
  void forward(const ForwardArgs& args) override {
    const Array x(args.in[0]);
    Array out(args.out.shape());
    for (std::int64_t n = 0; n < x.shape().n; ++n)
      for (std::int64_t c = 0; c < x.shape().c; ++c) {
        for (std::int64_t p = 0; p < x.shape().pixels(); ++p) out(n, c, 0) += x(n, c, p);
        out(n, c, 0) /= double(x.shape().pixels());
      }
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array dout(args.dout);
    Array dx(args.in[0].shape());
    for (std::int64_t n = 0; n < dx.shape().n; ++n)
      for (std::int64_t c = 0; c < dx.shape().c; ++c)
        for (std::int64_t p = 0; p < dx.shape().pixels(); ++p)
          dx(n, c, p) = dout(n, c, 0) / double(dx.shape().pixels());
    dx.store_to(args.din[0], args.mode[0]);
  }
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(const AvgPool& op, Mode) {
  return std::make_unique<AvgPoolKernel>(op);
}
std::unique_ptr<Kernel> make_kernel(const MaxPool& op, Mode) {
  return std::make_unique<MaxPoolKernel>(op);
}
std::unique_ptr<Kernel> make_kernel(const MeanOfPixels&, Mode) {
  return std::make_unique<MeanOfPixelsKernel>();
}

}  // namespace diffusion::reference
