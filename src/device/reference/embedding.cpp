#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include <diffusion/error.h>
#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

// [sin, cos] of the arguments along the channels, or [cos, sin]; a channel beyond both stays zero.
void store_sinusoids(const Array& arguments, bool cos_first, const Tensor& tensor) {
  Array out(tensor.shape());
  const std::int64_t half = arguments.shape().c;
  for (std::int64_t n = 0; n < out.shape().n; ++n)
    for (std::int64_t i = 0; i < half; ++i) {
      out(n, cos_first ? half + i : i) = std::sin(arguments(n, i));
      out(n, cos_first ? i : half + i) = std::cos(arguments(n, i));
    }
  out.store_to(tensor);
}

template <class Visit>
void for_each(const Shape& shape, Visit visit) {
  for (std::int64_t n = 0; n < shape.n; ++n)
    for (std::int64_t c = 0; c < shape.c; ++c)
      for (std::int64_t p = 0; p < shape.pixels(); ++p) visit(n, c, p);
}

class TimestepEmbeddingKernel final : public ReferenceKernel {
 public:
  explicit TimestepEmbeddingKernel(const TimestepEmbedding& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    const Array t(args.in[0]);
    const std::int64_t half = op_.dim / 2;
    Array arguments(Shape{t.shape().n, half, 1, 1});
    for (std::int64_t n = 0; n < t.shape().n; ++n)
      for (std::int64_t i = 0; i < half; ++i)
        arguments(n, i) = t(n, 0) * std::pow(op_.max_period, -double(i) / (double(half) - op_.freq_shift));
    store_sinusoids(arguments, op_.flip_sin_to_cos, args.out);
  }

  void backward(const BackwardArgs&) override {}  // t gets no gradient

 private:
  TimestepEmbedding op_;
};

class FourierEmbeddingKernel final : public ReferenceKernel {
 public:
  explicit FourierEmbeddingKernel(const FourierEmbedding& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    const Array t(args.in[0]), w(args.in[1]);
    Array arguments(Shape{t.shape().n, w.shape().c, 1, 1});
    for (std::int64_t n = 0; n < t.shape().n; ++n)
      for (std::int64_t i = 0; i < w.shape().c; ++i)
        arguments(n, i) = 2 * std::numbers::pi * w(0, i) * std::log(t(n, 0));
    store_sinusoids(arguments, op_.flip_sin_to_cos, args.out);
  }

  void backward(const BackwardArgs&) override {}  // neither t nor w gets a gradient

 private:
  FourierEmbedding op_;
};

class EmbeddingKernel final : public ReferenceKernel {
 public:
  void forward(const ForwardArgs& args) override {
    const Array index(args.in[0]), table(args.in[1]);
    Array out(args.out.shape());
    for_each(out.shape(), [&](std::int64_t n, std::int64_t c, std::int64_t p) {
      out(n, c, p) = table(row(index, n, p, table.shape().n), c);
    });
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array index(args.in[0]), dout(args.dout);
    Array dtable(args.in[1].shape());
    for_each(dout.shape(), [&](std::int64_t n, std::int64_t c, std::int64_t p) {
      dtable(row(index, n, p, dtable.shape().n), c) += dout(n, c, p);
    });
    dtable.store_to(args.din[1], args.mode[1]);
  }

 private:
  static std::int64_t row(const Array& index, std::int64_t n, std::int64_t pixel, std::int64_t rows) {
    const double value = index(n, 0, pixel);
    if (!(value >= 0 && value < double(rows) && value == std::floor(value)))
      throw Error(
          ErrorKind::usage,
          fmt::format("embedding: the index of sample {} is {}; it must be a whole number from 0 to {}.", n,
                      value, rows - 1));
    return std::int64_t(value);
  }
};

class AddPositionKernel final : public ReferenceKernel {
 public:
  void forward(const ForwardArgs& args) override {
    Array out(args.in[0]);
    const Array table(args.in[1]);
    for_each(out.shape(),
             [&](std::int64_t n, std::int64_t c, std::int64_t p) { out(n, c, p) += table(p, c); });
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array dout(args.dout);
    Array dtable(args.in[1].shape());
    for_each(dout.shape(),
             [&](std::int64_t n, std::int64_t c, std::int64_t p) { dtable(p, c) += dout(n, c, p); });
    dout.store_to(args.din[0], args.mode[0]);
    dtable.store_to(args.din[1], args.mode[1]);
  }
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(const TimestepEmbedding& op, Mode) {
  return std::make_unique<TimestepEmbeddingKernel>(op);
}
std::unique_ptr<Kernel> make_kernel(const FourierEmbedding& op, Mode) {
  return std::make_unique<FourierEmbeddingKernel>(op);
}
std::unique_ptr<Kernel> make_kernel(const Embedding&, Mode) {
  return std::make_unique<EmbeddingKernel>();
}

std::unique_ptr<Kernel> make_kernel(const AddPosition&, Mode) {
  return std::make_unique<AddPositionKernel>();
}

}  // namespace diffusion::reference
