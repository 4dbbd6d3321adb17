#include <algorithm>
#include <cmath>

#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

// One head of one sample: q, k and v are its channels at these offsets.
struct Head {
  std::int64_t n, q, k, v, out, dim;
};

class AttentionKernel final : public ReferenceKernel {
 public:
  explicit AttentionKernel(const Attention& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    const Array qkv(args.in[0]);
    Array out(args.out.shape());
    for_each_head(out.shape(), [&](const Head& head) {
      const Array weights = softmax(qkv, head);
      const std::int64_t tokens = out.shape().pixels();
      for (std::int64_t i = 0; i < tokens; ++i)
        for (std::int64_t j = 0; j < tokens; ++j)
          for (std::int64_t d = 0; d < head.dim; ++d)
            out(head.n, head.out + d, i) += weights(i, j) * qkv(head.n, head.v + d, j);
    });
    out.store_to(args.out);
  }

  // With weights P = softmax(S), S = scale Q^T K and out = P V:
  //   dV = P^T dout,  dP = dout V^T,  dS = P (dP - sum_j P dP),  dQ = scale dS K,  dK = scale dS^T Q.
  void backward(const BackwardArgs& args) override {
    const Array qkv(args.in[0]), dout(args.dout);
    Array dqkv(qkv.shape());
    for_each_head(dout.shape(), [&](const Head& head) {
      const Array weights = softmax(qkv, head);
      const std::int64_t tokens = dout.shape().pixels();
      const double scale = score_scale(head);
      std::vector<double> dweights(static_cast<std::size_t>(tokens));
      for (std::int64_t i = 0; i < tokens; ++i) {
        double mean = 0;
        for (std::int64_t j = 0; j < tokens; ++j) {
          double sum = 0;
          for (std::int64_t d = 0; d < head.dim; ++d) {
            sum += dout(head.n, head.out + d, i) * qkv(head.n, head.v + d, j);
            dqkv(head.n, head.v + d, j) += weights(i, j) * dout(head.n, head.out + d, i);
          }
          dweights[std::size_t(j)] = sum;
          mean += weights(i, j) * sum;
        }
        for (std::int64_t j = 0; j < tokens; ++j) {
          const double dscore = weights(i, j) * (dweights[std::size_t(j)] - mean) * scale;
          for (std::int64_t d = 0; d < head.dim; ++d) {
            dqkv(head.n, head.q + d, i) += dscore * qkv(head.n, head.k + d, j);
            dqkv(head.n, head.k + d, j) += dscore * qkv(head.n, head.q + d, i);
          }
        }
      }
    });
    dqkv.store_to(args.din[0], args.mode[0]);
  }

 private:
  template <class Visit>
  void for_each_head(const Shape& out, Visit visit) const {
    const std::int64_t dim = out.c / op_.heads;
    for (std::int64_t n = 0; n < out.n; ++n)
      for (std::int64_t h = 0; h < op_.heads; ++h)
        visit(Head{n, h * dim, out.c + h * dim, 2 * out.c + h * dim, h * dim, dim});
  }

  static double score_scale(const Head& head) { return 1 / std::sqrt(double(head.dim)); }

  // [tokens of q, tokens of k]; rows sum to 1.
  static Array softmax(const Array& qkv, const Head& head) {
    const std::int64_t tokens = qkv.shape().pixels();
    Array weights(Shape{tokens, tokens, 1, 1});
    for (std::int64_t i = 0; i < tokens; ++i) {
      double largest = -HUGE_VAL, sum = 0;
      for (std::int64_t j = 0; j < tokens; ++j) {
        double score = 0;
        for (std::int64_t d = 0; d < head.dim; ++d)
          score += qkv(head.n, head.q + d, i) * qkv(head.n, head.k + d, j);
        weights(i, j) = score * score_scale(head);
        largest = std::max(largest, weights(i, j));
      }
      for (std::int64_t j = 0; j < tokens; ++j) sum += weights(i, j) = std::exp(weights(i, j) - largest);
      for (std::int64_t j = 0; j < tokens; ++j) weights(i, j) /= sum;
    }
    return weights;
  }

  Attention op_;
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(const Attention& op, Mode) {
  return std::make_unique<AttentionKernel>(op);
}

}  // namespace diffusion::reference
