#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

class ConcatKernel final : public ReferenceKernel {
 public:
  void forward(const ForwardArgs& args) override {
    Array out(args.out.shape());
    std::int64_t first = 0;
    for (const Tensor& part : args.in) {
      const Array x(part);
      for (std::int64_t n = 0; n < x.shape().n; ++n)
        for (std::int64_t c = 0; c < x.shape().c; ++c)
          for (std::int64_t p = 0; p < x.shape().pixels(); ++p) out(n, first + c, p) = x(n, c, p);
      first += x.shape().c;
    }
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array dout(args.dout);
    std::int64_t first = 0;
    for (std::size_t k = 0; k < args.in.size(); ++k) {
      Array dx(args.in[k].shape());
      for (std::int64_t n = 0; n < dx.shape().n; ++n)
        for (std::int64_t c = 0; c < dx.shape().c; ++c)
          for (std::int64_t p = 0; p < dx.shape().pixels(); ++p) dx(n, c, p) = dout(n, first + c, p);
      dx.store_to(args.din[k], args.mode[k]);
      first += dx.shape().c;
    }
  }
};

// Calls visit(n, c, fine pixel, coarse pixel) for every fine pixel that belongs to a coarse one, two by two.
template <class Visit>
void for_each_fine_pixel(const Shape& coarse, std::int64_t fine_width, Visit visit) {
  for (std::int64_t n = 0; n < coarse.n; ++n)
    for (std::int64_t c = 0; c < coarse.c; ++c)
      for (std::int64_t y = 0; y < 2 * coarse.h; ++y)
        for (std::int64_t x = 0; x < 2 * coarse.w; ++x)
          visit(n, c, y * fine_width + x, y / 2 * coarse.w + x / 2);
}

class UpsampleKernel final : public ReferenceKernel {
 public:
  void forward(const ForwardArgs& args) override {
    const Array x(args.in[0]);
    Array out(args.out.shape());
    for_each_fine_pixel(x.shape(), out.shape().w,
                        [&](auto n, auto c, auto fine, auto coarse) { out(n, c, fine) = x(n, c, coarse); });
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array dout(args.dout);
    Array dx(args.in[0].shape());
    for_each_fine_pixel(dx.shape(), dout.shape().w, [&](auto n, auto c, auto fine, auto coarse) {
      dx(n, c, coarse) += dout(n, c, fine);
    });
    dx.store_to(args.din[0], args.mode[0]);
  }
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(const Concat&, Mode) {
  return std::make_unique<ConcatKernel>();
}
std::unique_ptr<Kernel> make_kernel(const Upsample&, Mode) {
  return std::make_unique<UpsampleKernel>();
}

}  // namespace diffusion::reference
