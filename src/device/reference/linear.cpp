#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

class LinearKernel final : public ReferenceKernel {
 public:
  void forward(const ForwardArgs& args) override {
    const Array x(args.in[0]), weight(args.in[1]);
    Array out(args.out.shape());
    for (std::int64_t n = 0; n < x.shape().n; ++n)
      for (std::int64_t o = 0; o < weight.shape().n; ++o)
        for (std::int64_t i = 0; i < weight.shape().c; ++i) out(n, o) += weight(o, i) * x(n, i);
    if (args.in.size() == 3) {
      const Array bias(args.in[2]);
      for (std::int64_t n = 0; n < x.shape().n; ++n)
        for (std::int64_t o = 0; o < weight.shape().n; ++o) out(n, o) += bias(0, o);
    }
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array x(args.in[0]), weight(args.in[1]), dout(args.dout);
    Array dx(x.shape()), dweight(weight.shape()), dbias(Shape{1, weight.shape().n, 1, 1});
    for (std::int64_t n = 0; n < x.shape().n; ++n)
      for (std::int64_t o = 0; o < weight.shape().n; ++o) {
        dbias(0, o) += dout(n, o);
        for (std::int64_t i = 0; i < weight.shape().c; ++i) {
          dx(n, i) += weight(o, i) * dout(n, o);
          dweight(o, i) += x(n, i) * dout(n, o);
        }
      }
    dx.store_to(args.din[0], args.mode[0]);
    dweight.store_to(args.din[1], args.mode[1]);
    if (args.in.size() == 3) dbias.store_to(args.din[2], args.mode[2]);
  }
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(const Linear&, Mode) {
  return std::make_unique<LinearKernel>();
}

}  // namespace diffusion::reference
