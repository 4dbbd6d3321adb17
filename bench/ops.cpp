// Times forward and backward of every benchmark case on the CPU device: the best and the median time, and
// from the best one the arithmetic rate where an op multiplies matrices and the rate of its unavoidable
// memory traffic. A median far above the best means that the machine was busy with something else: with two
// threads on a busy core, every kernel waits for the scheduler, and such a table says nothing about the
// kernels.

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "device/device.h"
#include "graph/flops.h"
#include "op_cases.h"
#include "profile/kernel_timing.h"

namespace diffusion {
namespace {

TimedKernel compile(const OpCase& c, const Device& device) {
  std::vector<TimedInput> inputs;
  for (std::size_t k = 0; k < c.inputs.size(); ++k)
    inputs.push_back({c.inputs[k].shape, c.inputs[k].kind == OpInput::Kind::parameter, c.inputs[k].needs_grad,
                      make_values(c.inputs[k], k)});
  return TimedKernel(c.op, inputs, device);
}

double forward_flops(const OpCase& c) {
  std::vector<Shape> shapes;
  for (const OpInput& input : c.inputs) shapes.push_back(input.shape);
  return diffusion::forward_flops(c.op, shapes);
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
      TimedKernel bench = compile(c, *device);
      const Timing forward = time_calls([&] { bench.forward(); });
      print_row(c, precision, "forward", forward, forward_flops(c), bench.forward_bytes(),
                bench.implementation());
      const Timing backward = time_calls([&] { bench.backward(); });
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
