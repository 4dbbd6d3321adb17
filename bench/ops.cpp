// Times forward and backward of every benchmark case on the CPU device: the best and the median time, and from
// the best one the arithmetic rate where an op multiplies matrices and the rate of its unavoidable memory
// traffic. A median far above the best means that the machine was busy with something else: with two threads on
// a busy core, every kernel waits for the scheduler, and such a table says nothing about the kernels.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "device/cpu/cpu_device.h"
#include "op_cases.h"

namespace diffusion {
namespace {

constexpr std::size_t kMaxInputs = 8;

// One case compiled for training, with memory of its own.
class Bench {
 public:
  Bench(const OpCase& op_case, const Device& device) {
    std::vector<TensorDesc> descs;
    std::vector<Shape> shapes;
    std::array<bool, kMaxInputs> needs_grad{};
    for (std::size_t k = 0; k < op_case.inputs.size(); ++k) {
      const OpInput& input = op_case.inputs[k];
      const bool is_param = input.kind == OpInput::Kind::parameter;
      const TensorDesc desc{input.shape, is_param ? Format{} : device.input_format(input.shape)};
      shapes.push_back(input.shape);
      descs.push_back(desc);
      needs_grad[k] = input.needs_grad;
      mode_.push_back(!input.needs_grad ? GradMode::skip
                      : is_param        ? GradMode::accumulate
                                        : GradMode::overwrite);
      in_.push_back(allocate(desc));
      din_.push_back(allocate(desc));
      fill(in_[k], make_values(input, k));
    }
    const Shape shape = infer(op_case.op, shapes);
    const TensorDesc out{shape, device.output_format(op_case.op, descs, shape)};
    out_ = allocate(out);
    dout_ = allocate(out);
    fill(dout_, make_values({.shape = shape}, op_case.inputs.size()));
    reads_inputs_ = backward_reads(op_case.op).inputs;
    kernel_ = device.compile(
        {op_case.op, descs, out, Mode::training, std::span<const bool>(needs_grad.data(), descs.size())});
    saved_ = Buffer<std::byte>(kernel_->saved_bytes());
    workspace_ = Buffer<std::byte>(kernel_->workspace_bytes());
    kernel_->load_params(in_);
  }

  void forward() { kernel_->forward({in_, out_, saved_.data(), workspace_.data(), &context_}); }
  void backward() {
    kernel_->backward({in_, out_, dout_, din_, mode_, saved_.data(), workspace_.data(), &context_});
  }
  std::string_view implementation() const { return kernel_->implementation(); }

  // Every tensor read or written once.
  double forward_bytes() const { return bytes_of(in_) + double(out_.desc.bytes()); }
  double backward_bytes() const {
    double bytes = double(dout_.desc.bytes()) + (reads_inputs_ ? bytes_of(in_) : 0);
    for (std::size_t k = 0; k < din_.size(); ++k)
      if (mode_[k] != GradMode::skip) bytes += double(din_[k].desc.bytes());
    return bytes;
  }

 private:
  Tensor allocate(const TensorDesc& desc) { return {desc, memory_.emplace_back(desc.bytes()).data()}; }
  static void fill(const Tensor& tensor, std::vector<float> values) {
    convert({{tensor.shape(), {DType::f32, 1}}, values.data()}, tensor);
  }
  static double bytes_of(std::span<const Tensor> tensors) {
    double bytes = 0;
    for (const Tensor& t : tensors) bytes += double(t.desc.bytes());
    return bytes;
  }

  std::vector<Buffer<std::byte>> memory_;
  std::vector<Tensor> in_, din_;
  std::vector<GradMode> mode_;
  Tensor out_, dout_;
  bool reads_inputs_ = false;
  std::unique_ptr<Kernel> kernel_;
  Buffer<std::byte> saved_, workspace_;
  RunContext context_{.seed = 1, .step = 1};
};

// Multiplications and additions of a forward that multiplies matrices, else 0. A backward has twice as many.
double forward_flops(const OpCase& c) {
  const Shape& x = c.inputs[0].shape;
  if (std::holds_alternative<Attention>(c.op))  // Q^T K and the weighted sum of V
    return 4 * double(x.n) * double(x.pixels()) * double(x.pixels()) * double(x.c / 3);
  if (!std::holds_alternative<Conv2d>(c.op) && !std::holds_alternative<Linear>(c.op)) return 0;
  std::vector<Shape> shapes;
  for (const OpInput& input : c.inputs) shapes.push_back(input.shape);
  const Shape out = infer(c.op, shapes), weight = shapes[1];
  return 2 * double(out.elements()) * double(weight.c * weight.pixels());
}

struct Timing {
  double best, median;  // seconds
};

// Of at least five calls and about 0.3 s, after one that warms up.
Timing measure(const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  call();
  std::vector<double> times;
  double total = 0;
  while (times.size() < 5 || (total < 0.3 && times.size() < 1000)) {
    const auto start = Clock::now();
    call();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    total += times.back();
  }
  std::ranges::sort(times);
  return {times.front(), times[times.size() / 2]};
}

void print_row(const OpCase& c, Precision precision, std::string_view direction, const Timing& time,
               double flops, double bytes, std::string_view implementation) {
  const std::string rate = flops > 0 ? fmt::format("{:.1f}", flops / time.best * 1e-9) : "";
  fmt::print("{:<48} {:<5} {:<8} {:>9.3f} {:>9.3f} {:>8} {:>6.1f}  {}\n", c.name, to_string(precision),
             direction, time.best * 1e3, time.median * 1e3, rate, bytes / time.best * 1e-9, implementation);
}

void run() {
  fmt::print("{}, {} threads\n\n", cpu_description(), thread_count());
  fmt::print("{:<48} {:<5} {:<8} {:>9} {:>9} {:>8} {:>6}  {}\n", "op", "", "", "best ms", "median", "GFLOP/s",
             "GB/s", "implementation");
  std::vector<Precision> precisions{Precision::f32};
  if (fastest_precision() == Precision::bf16) precisions.push_back(Precision::bf16);
  for (const OpCase& c : benchmark_cases())
    for (Precision precision : precisions) {
      const auto device = make_cpu_device(precision);
      Bench bench(c, *device);
      const Timing forward = measure([&] { bench.forward(); });
      print_row(c, precision, "forward", forward, forward_flops(c), bench.forward_bytes(),
                bench.implementation());
      const Timing backward = measure([&] { bench.backward(); });
      print_row(c, precision, "backward", backward, 2 * forward_flops(c), bench.backward_bytes(),
                bench.implementation());
    }
}

}  // namespace
}  // namespace diffusion

int main() {
  try {
    diffusion::run();
    return 0;
  } catch (const diffusion::Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return diffusion::exit_code(e.kind());
  }
}
