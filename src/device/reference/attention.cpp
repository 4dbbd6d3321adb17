#include <algorithm>
#include <cmath>
#include <functional>

#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

// Queries are channels of one tensor, keys and values of another, which may be the same.
struct Tensors {
  const Array &q, &kv;
};

// One head of one sample: its channels of q, k, v and the output start at these.
struct Head {
  std::int64_t n, q, k, v, out, dim;

  double scale() const { return 1 / std::sqrt(double(dim)); }
};

// Whether query i sees key j in sample n.
using Visible = std::function<bool(std::int64_t n, std::int64_t i, std::int64_t j)>;

template <class Visit>
void for_each_head(const Shape& out, int heads, std::int64_t first_key, std::int64_t first_value,
                   Visit visit) {
  const std::int64_t dim = out.c / heads;
  for (std::int64_t n = 0; n < out.n; ++n)
    for (std::int64_t h = 0; h < heads; ++h)
      visit(Head{n, h * dim, first_key + h * dim, first_value + h * dim, h * dim, dim});
}

// [queries, keys]; a row sums to 1, or is 0 if nothing is visible.
Array softmax(const Tensors& t, const Head& head, const Visible& visible) {
  const std::int64_t queries = t.q.shape().pixels(), keys = t.kv.shape().pixels();
  Array weights(Shape{queries, keys, 1, 1});
  for (std::int64_t i = 0; i < queries; ++i) {
    double largest = -HUGE_VAL, sum = 0;
    for (std::int64_t j = 0; j < keys; ++j) {
      if (!visible(head.n, i, j)) continue;
      double score = 0;
      for (std::int64_t d = 0; d < head.dim; ++d)
        score += t.q(head.n, head.q + d, i) * t.kv(head.n, head.k + d, j);
      weights(i, j) = score * head.scale();
      largest = std::max(largest, weights(i, j));
    }
    for (std::int64_t j = 0; j < keys; ++j)
      if (visible(head.n, i, j)) sum += weights(i, j) = std::exp(weights(i, j) - largest);
    for (std::int64_t j = 0; j < keys && sum > 0; ++j) weights(i, j) /= sum;
  }
  return weights;
}

void attend(const Tensors& t, const Head& head, const Visible& visible, Array& out) {
  const Array weights = softmax(t, head, visible);
  for (std::int64_t i = 0; i < out.shape().pixels(); ++i)
    for (std::int64_t j = 0; j < t.kv.shape().pixels(); ++j)
      for (std::int64_t d = 0; d < head.dim; ++d)
        out(head.n, head.out + d, i) += weights(i, j) * t.kv(head.n, head.v + d, j);
}

// With weights P = softmax(S), S = scale Q^T K and out = P V:
//   dV = P^T dout,  dP = dout V^T,  dS = P (dP - sum_j P dP),  dQ = scale dS K,  dK = scale dS^T Q.
// Adds to dq and dkv, which may be the same.
void attend_backward(const Tensors& t, const Head& head, const Visible& visible, const Array& dout, Array& dq,
                     Array& dkv) {
  const Array weights = softmax(t, head, visible);
  const std::int64_t queries = dout.shape().pixels(), keys = t.kv.shape().pixels();
  std::vector<double> dweights(static_cast<std::size_t>(keys));
  for (std::int64_t i = 0; i < queries; ++i) {
    double mean = 0;
    for (std::int64_t j = 0; j < keys; ++j) {
      double sum = 0;
      for (std::int64_t d = 0; d < head.dim; ++d) {
        sum += dout(head.n, head.out + d, i) * t.kv(head.n, head.v + d, j);
        dkv(head.n, head.v + d, j) += weights(i, j) * dout(head.n, head.out + d, i);
      }
      dweights[std::size_t(j)] = sum;
      mean += weights(i, j) * sum;
    }
    for (std::int64_t j = 0; j < keys; ++j) {
      const double dscore = weights(i, j) * (dweights[std::size_t(j)] - mean) * head.scale();
      for (std::int64_t d = 0; d < head.dim; ++d) {
        dq(head.n, head.q + d, i) += dscore * t.kv(head.n, head.k + d, j);
        dkv(head.n, head.k + d, j) += dscore * t.q(head.n, head.q + d, i);
      }
    }
  }
}

class AttentionKernel final : public ReferenceKernel {
 public:
  explicit AttentionKernel(const Attention& op)
      : op_(op), visible_([causal = op.causal](std::int64_t, std::int64_t i, std::int64_t j) {
          return !causal || j <= i;
        }) {}

  void forward(const ForwardArgs& args) override {
    const Array qkv(args.in[0]);
    Array out(args.out.shape());
    for_each_head(out.shape(), op_.heads, out.shape().c, 2 * out.shape().c, [&](const Head& head) {
      attend({qkv, qkv}, head, visible_, out);
    });
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array qkv(args.in[0]), dout(args.dout);
    Array dqkv(qkv.shape());
    for_each_head(dout.shape(), op_.heads, dout.shape().c, 2 * dout.shape().c, [&](const Head& head) {
      attend_backward({qkv, qkv}, head, visible_, dout, dqkv, dqkv);
    });
    dqkv.store_to(args.din[0], args.mode[0]);
  }

 private:
  Attention op_;
  Visible visible_;
};

class CrossAttentionKernel final : public ReferenceKernel {
 public:
  explicit CrossAttentionKernel(const CrossAttention& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    const Array q(args.in[0]), kv(args.in[1]), mask(args.in.back());
    Array out(args.out.shape());
    for_each_head(out.shape(), op_.heads, 0, out.shape().c, [&](const Head& head) {
      attend({q, kv}, head, visible(mask, args.in.size() > 2), out);
    });
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array q(args.in[0]), kv(args.in[1]), mask(args.in.back()), dout(args.dout);
    Array dq(q.shape()), dkv(kv.shape());
    for_each_head(dout.shape(), op_.heads, 0, dout.shape().c, [&](const Head& head) {
      attend_backward({q, kv}, head, visible(mask, args.in.size() > 2), dout, dq, dkv);
    });
    dq.store_to(args.din[0], args.mode[0]);
    dkv.store_to(args.din[1], args.mode[1]);
  }

 private:
  static Visible visible(const Array& mask, bool masked) {
    return [&mask, masked](std::int64_t n, std::int64_t, std::int64_t j) {
      return !masked || mask(n, 0, j) != 0;
    };
  }

  CrossAttention op_;
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(const Attention& op, Mode) {
  return std::make_unique<AttentionKernel>(op);
}
std::unique_ptr<Kernel> make_kernel(const CrossAttention& op, Mode) {
  return std::make_unique<CrossAttentionKernel>(op);
}

}  // namespace diffusion::reference
