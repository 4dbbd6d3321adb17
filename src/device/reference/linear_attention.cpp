#include <algorithm>
#include <cmath>

#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

// Turns `count` values `stride` apart into their softmax.
void softmax(double* values, std::int64_t count, std::int64_t stride) {
  double largest = -HUGE_VAL, sum = 0;
  for (std::int64_t i = 0; i < count; ++i) largest = std::max(largest, values[i * stride]);
  for (std::int64_t i = 0; i < count; ++i) sum += values[i * stride] = std::exp(values[i * stride] - largest);
  for (std::int64_t i = 0; i < count; ++i) values[i * stride] /= sum;
}

// d(values) of a softmax, from its result p and d(p) in `grad`, in place.
void softmax_gradient(const double* p, double* grad, std::int64_t count, std::int64_t stride) {
  double mean = 0;
  for (std::int64_t i = 0; i < count; ++i) mean += p[i * stride] * grad[i * stride];
  for (std::int64_t i = 0; i < count; ++i) grad[i * stride] = p[i * stride] * (grad[i * stride] - mean);
}

class LinearAttentionKernel final : public ReferenceKernel {
 public:
  explicit LinearAttentionKernel(const LinearAttention& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    const Array qkv(args.in[0]);
    Array out(args.out.shape());
    for_each_head(out.shape(), [&](std::int64_t n, std::int64_t first, std::int64_t dim) {
      const Head head = make_head(qkv, n, first, dim);
      for (std::int64_t d = 0; d < dim; ++d)
        for (std::int64_t e = 0; e < dim; ++e)
          for (std::int64_t p = 0; p < head.pixels; ++p)
            out(n, first + e, p) += head.context(0, d * dim + e) * head.q(0, d, p);
    });
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array qkv(args.in[0]), dout(args.dout);
    Array dqkv(qkv.shape());
    const std::int64_t width = dout.shape().c;
    for_each_head(dout.shape(), [&](std::int64_t n, std::int64_t first, std::int64_t dim) {
      const Head head = make_head(qkv, n, first, dim);
      const double scale = 1 / std::sqrt(double(dim)), share = 1 / double(head.pixels);
      Array dcontext(head.context.shape());
      for (std::int64_t d = 0; d < dim; ++d)
        for (std::int64_t e = 0; e < dim; ++e)
          for (std::int64_t p = 0; p < head.pixels; ++p) {
            dqkv(n, first + d, p) += head.context(0, d * dim + e) * dout(n, first + e, p);
            dcontext(0, d * dim + e) += head.q(0, d, p) * dout(n, first + e, p);
          }
      for (std::int64_t d = 0; d < dim; ++d)
        for (std::int64_t e = 0; e < dim; ++e)
          for (std::int64_t p = 0; p < head.pixels; ++p) {
            dqkv(n, width + first + d, p) += dcontext(0, d * dim + e) * head.v(0, e, p) * share;
            dqkv(n, 2 * width + first + e, p) += dcontext(0, d * dim + e) * head.k(0, d, p) * share;
          }
      // head.q is softmax times scale: what its gradient wants is both, which the factor of the softmax's
      // Jacobian gives.
      for (std::int64_t p = 0; p < head.pixels; ++p) {
        double mean = 0;
        for (std::int64_t d = 0; d < dim; ++d) mean += head.q(0, d, p) / scale * dqkv(n, first + d, p);
        for (std::int64_t d = 0; d < dim; ++d)
          dqkv(n, first + d, p) = head.q(0, d, p) * (dqkv(n, first + d, p) - mean);
      }
      for (std::int64_t d = 0; d < dim; ++d)
        softmax_gradient(&head.k.values()[std::size_t(d * head.pixels)], &dqkv(n, width + first + d),
                         head.pixels, 1);
    });
    dqkv.store_to(args.din[0], args.mode[0]);
  }

 private:
  // One head of one sample: softmax of q times scale, softmax of k, v, and the context [dim of k, dim of v].
  struct Head {
    std::int64_t pixels;
    Array q, k, v, context;
  };

  static Head make_head(const Array& qkv, std::int64_t n, std::int64_t first, std::int64_t dim) {
    const std::int64_t width = qkv.shape().c / 3, pixels = qkv.shape().pixels();
    const Shape rows{1, dim, qkv.shape().h, qkv.shape().w};
    Head head{pixels, Array(rows), Array(rows), Array(rows), Array(Shape{1, dim * dim, 1, 1})};
    for (std::int64_t d = 0; d < dim; ++d)
      for (std::int64_t p = 0; p < pixels; ++p) {
        head.q(0, d, p) = qkv(n, first + d, p);
        head.k(0, d, p) = qkv(n, width + first + d, p);
        head.v(0, d, p) = qkv(n, 2 * width + first + d, p);
      }
    for (std::int64_t p = 0; p < pixels; ++p) softmax(&head.q(0, 0, p), dim, pixels);
    for (std::int64_t d = 0; d < dim; ++d) softmax(&head.k(0, d), pixels, 1);
    for (double& q : head.q.values()) q /= std::sqrt(double(dim));
    for (std::int64_t d = 0; d < dim; ++d)
      for (std::int64_t e = 0; e < dim; ++e)
        for (std::int64_t p = 0; p < pixels; ++p)
          head.context(0, d * dim + e) += head.k(0, d, p) * head.v(0, e, p) / double(pixels);
    return head;
  }

  template <class Visit>
  void for_each_head(const Shape& out, Visit visit) const {
    const std::int64_t dim = out.c / op_.heads;
    for (std::int64_t n = 0; n < out.n; ++n)
      for (std::int64_t h = 0; h < op_.heads; ++h) visit(n, h * dim, dim);
  }

  LinearAttention op_;
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(const LinearAttention& op, Mode) {
  return std::make_unique<LinearAttentionKernel>(op);
}

}  // namespace diffusion::reference
