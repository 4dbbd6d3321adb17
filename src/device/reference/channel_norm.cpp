#include <cmath>

#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

class ChannelNormKernel final : public ReferenceKernel {
 public:
  explicit ChannelNormKernel(const ChannelNorm& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    const Array x(args.in[0]), gain(args.in[1]), bias(args.in.back());
    Array out(x.shape());
    for_each_pixel(x, [&](std::int64_t n, std::int64_t p, double mean, double inverse_deviation) {
      for (std::int64_t c = 0; c < x.shape().c; ++c)
        out(n, c, p) =
            gain(0, c) * (x(n, c, p) - mean) * inverse_deviation + (args.in.size() > 2 ? bias(0, c) : 0);
    });
    out.store_to(args.out);
  }

  // With xhat = (x - mean) r and dxhat = gain dout: dx = r (dxhat - mean(dxhat) - xhat mean(dxhat xhat)), and
  // the gradient of the bias is the sum of dout.
  void backward(const BackwardArgs& args) override {
    const Array x(args.in[0]), gain(args.in[1]), dout(args.dout);
    Array dx(x.shape()), dgain(gain.shape()), dbias(gain.shape());
    const std::int64_t channels = x.shape().c;
    for_each_pixel(x, [&](std::int64_t n, std::int64_t p, double mean, double r) {
      double mean_d = 0, mean_product = 0;
      for (std::int64_t c = 0; c < channels; ++c) {
        const double xhat = (x(n, c, p) - mean) * r, d = gain(0, c) * dout(n, c, p);
        dgain(0, c) += dout(n, c, p) * xhat;
        dbias(0, c) += dout(n, c, p);
        mean_d += d / double(channels);
        mean_product += d * xhat / double(channels);
      }
      for (std::int64_t c = 0; c < channels; ++c) {
        const double xhat = (x(n, c, p) - mean) * r;
        dx(n, c, p) = r * (gain(0, c) * dout(n, c, p) - mean_d - xhat * mean_product);
      }
    });
    dx.store_to(args.din[0], args.mode[0]);
    dgain.store_to(args.din[1], args.mode[1]);
    if (args.in.size() > 2) dbias.store_to(args.din[2], args.mode[2]);
  }

 private:
  // visit(n, pixel, mean, 1 / standard deviation)
  template <class Visit>
  void for_each_pixel(const Array& x, Visit visit) const {
    const Shape& s = x.shape();
    for (std::int64_t n = 0; n < s.n; ++n)
      for (std::int64_t p = 0; p < s.pixels(); ++p) {
        double mean = 0, variance = 0;
        for (std::int64_t c = 0; c < s.c; ++c) mean += x(n, c, p) / double(s.c);
        for (std::int64_t c = 0; c < s.c; ++c) {
          const double d = x(n, c, p) - mean;
          variance += d * d / double(s.c);
        }
        visit(n, p, mean, 1 / std::sqrt(variance + op_.eps));
      }
  }

  ChannelNorm op_;
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(const ChannelNorm& op, Mode) {
  return std::make_unique<ChannelNormKernel>(op);
}

}  // namespace diffusion::reference
