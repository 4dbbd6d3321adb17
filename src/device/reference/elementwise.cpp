#include "base/rng.h"
#include "device/reference/activation.h"
#include "device/reference/kernels.h"

namespace diffusion::reference {

namespace {

class ActivateKernel final : public ReferenceKernel {
 public:
  explicit ActivateKernel(const Activate& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    Array values(args.in[0]);
    for (double& v : values.values()) v = activate(op_.activation, v);
    values.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array x(args.in[0]);
    Array dx(args.dout);
    for (std::size_t i = 0; i < dx.values().size(); ++i)
      dx.values()[i] *= activate_derivative(op_.activation, x.values()[i]);
    dx.store_to(args.din[0], args.mode[0]);
  }

 private:
  Activate op_;
};

class GateKernel final : public ReferenceKernel {
 public:
  explicit GateKernel(const Gate& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    const Array x(args.in[0]);
    Array out(args.out.shape());
    for_each(out.shape(), [&](std::int64_t n, std::int64_t c, std::int64_t p) {
      out(n, c, p) = x(n, c, p) * activate(op_.activation, x(n, out.shape().c + c, p));
    });
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    const Array x(args.in[0]), dout(args.dout);
    Array dx(x.shape());
    for_each(dout.shape(), [&](std::int64_t n, std::int64_t c, std::int64_t p) {
      const std::int64_t gate = dout.shape().c + c;
      dx(n, c, p) = dout(n, c, p) * activate(op_.activation, x(n, gate, p));
      dx(n, gate, p) = dout(n, c, p) * x(n, c, p) * activate_derivative(op_.activation, x(n, gate, p));
    });
    dx.store_to(args.din[0], args.mode[0]);
  }

 private:
  template <class Visit>
  static void for_each(const Shape& shape, Visit visit) {
    for (std::int64_t n = 0; n < shape.n; ++n)
      for (std::int64_t c = 0; c < shape.c; ++c)
        for (std::int64_t p = 0; p < shape.pixels(); ++p) visit(n, c, p);
  }

  Gate op_;
};

class AddKernel final : public ReferenceKernel {
 public:
  explicit AddKernel(const Add& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    Array out(args.in[0]);
    const Array b(args.in[1]);
    for (std::size_t i = 0; i < out.values().size(); ++i)
      out.values()[i] = (out.values()[i] + b.values()[i]) * op_.scale;
    out.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    Array d(args.dout);
    for (double& v : d.values()) v *= op_.scale;
    d.store_to(args.din[0], args.mode[0]);
    d.store_to(args.din[1], args.mode[1]);
  }

 private:
  Add op_;
};

class AffineKernel final : public ReferenceKernel {
 public:
  explicit AffineKernel(const Affine& op) : op_(op) {}

  void forward(const ForwardArgs& args) override {
    Array values(args.in[0]);
    for (double& v : values.values()) v = v * op_.scale + op_.shift;
    values.store_to(args.out);
  }

  void backward(const BackwardArgs& args) override {
    Array dx(args.dout);
    for (double& v : dx.values()) v *= op_.scale;
    dx.store_to(args.din[0], args.mode[0]);
  }

 private:
  Affine op_;
};

class DivideByKernel final : public ReferenceKernel {
 public:
  void forward(const ForwardArgs& args) override { quotient(args.in[0], args.in[1]).store_to(args.out); }

  void backward(const BackwardArgs& args) override {
    quotient(args.dout, args.in[1]).store_to(args.din[0], args.mode[0]);
  }

 private:
  static Array quotient(const Tensor& x, const Tensor& divisor) {
    Array values(x);
    const Array by(divisor);
    for (std::int64_t n = 0; n < values.shape().n; ++n)
      for (std::int64_t c = 0; c < values.shape().c; ++c)
        for (std::int64_t p = 0; p < values.shape().pixels(); ++p) values(n, c, p) /= by(n, 0);
    return values;
  }
};

// Linear in x with a factor per element, so that backward is forward on the gradient. The mask is drawn again
// in the backward: it is a pure function of the run's context.
class DropoutKernel final : public ReferenceKernel {
 public:
  DropoutKernel(const Dropout& op, Mode mode) : op_(op), mode_(mode) {}

  void forward(const ForwardArgs& args) override { masked(args.in[0], args.context).store_to(args.out); }

  void backward(const BackwardArgs& args) override {
    masked(args.dout, args.context).store_to(args.din[0], args.mode[0]);
  }

 private:
  Array masked(const Tensor& tensor, const RunContext* context) const {
    Array values(tensor);
    if (mode_ == Mode::inference) return values;
    const Shape& shape = values.shape();
    for (std::int64_t n = 0; n < shape.n; ++n) {
      const std::uint32_t sample = context->first_sample + std::uint32_t(n);
      const RandomKey key = dropout_key(op_, context->seed, context->step, sample);
      for (std::int64_t c = 0; c < shape.c; ++c)
        for (std::int64_t p = 0; p < shape.pixels(); ++p) {
          const auto position = std::uint32_t(c * shape.pixels() + p);
          const bool dropped = uniform(key, position) < op_.probability;
          values(n, c, p) = dropped ? 0 : values(n, c, p) / (1 - op_.probability);
        }
    }
    return values;
  }

  Dropout op_;
  Mode mode_;
};

}  // namespace

std::unique_ptr<Kernel> make_kernel(const Activate& op, Mode) {
  return std::make_unique<ActivateKernel>(op);
}
std::unique_ptr<Kernel> make_kernel(const Gate& op, Mode) {
  return std::make_unique<GateKernel>(op);
}
std::unique_ptr<Kernel> make_kernel(const Add& op, Mode) {
  return std::make_unique<AddKernel>(op);
}
std::unique_ptr<Kernel> make_kernel(const Affine& op, Mode) {
  return std::make_unique<AffineKernel>(op);
}
std::unique_ptr<Kernel> make_kernel(const DivideBy&, Mode) {
  return std::make_unique<DivideByKernel>();
}
std::unique_ptr<Kernel> make_kernel(const Dropout& op, Mode mode) {
  return std::make_unique<DropoutKernel>(op, mode);
}

}  // namespace diffusion::reference
