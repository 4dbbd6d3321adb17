// The CPU device against the reference device, over the list of op cases.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <tuple>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "device/device.h"
#include "op_case_plan.h"

namespace diffusion {
namespace {

// Relative error, in the L2 norm over a tensor, that the arithmetic explains.
double tolerance(const OpCase& c, Precision precision) {
  // bf16 keeps 8 bits: rounding costs at most 2^-9 = 2e-3 of a value and 1.1e-3 in the mean square. A result
  // sees it a few times (stored intermediates, softmax weights, the result itself) and sums are f32, so 1e-2.
  if (precision == Precision::bf16) return 1e-2;
  // f32 rounds at 6e-8; a sum of K = 16..600 terms in blocks loses up to about sqrt(K) of that. Winograd
  // doubles it, and the gradient of a weight sums over all pixels. Attention's scores grow with the square of
  // its inputs, and their rounding errors are relative errors of their exponentials.
  if (std::holds_alternative<Attention>(c.op)) return 2e-6 * std::pow(c.inputs[0].scale, 2);
  const bool convolves = std::holds_alternative<Conv2d>(c.op) || std::holds_alternative<UpsampleConv2d>(c.op);
  return convolves ? 4e-6 : 2e-6;
}

double relative_error(const std::vector<double>& actual, const std::vector<double>& expected) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  if (difference == 0) return 0;
  return std::sqrt(difference / norm);  // NaN and infinity fail every comparison below
}

// Both devices get numbers that the lower precision holds exactly, so that only the arithmetic differs. A
// timestep is not rounded: 999 and 1000 must stay apart on every device.
std::vector<float> exact_values(const OpInput& input, std::size_t index, Precision precision) {
  std::vector<float> values = make_values(input, index);
  const bool rounds = input.kind == OpInput::Kind::activation || input.kind == OpInput::Kind::parameter;
  if (rounds && precision == Precision::bf16)
    for (float& v : values) v = from_bf16(to_bf16(v));
  return values;
}

using Param = std::tuple<Precision, OpCase>;

std::string name_of(const testing::TestParamInfo<Param>& test) {
  return std::string(to_string(std::get<0>(test.param))) + "_" + std::get<1>(test.param).name;
}

class OpOnCpu : public testing::TestWithParam<Param> {
 protected:
  void SetUp() override {
    try {
      cpu_ = make_cpu_device(precision());
    } catch (const Error& e) {
      if (precision() != Precision::bf16 || e.kind() != ErrorKind::usage) throw;
      GTEST_SKIP() << e.what();
    }
  }

  Precision precision() const { return std::get<0>(GetParam()); }
  const OpCase& op_case() const { return std::get<1>(GetParam()); }
  double tolerance() const { return diffusion::tolerance(op_case(), precision()); }

  CasePlan make_plan(const Device& device, Mode mode, int copies = 1) const {
    std::vector<std::vector<float>> values;
    for (std::size_t k = 0; k < op_case().inputs.size(); ++k)
      values.push_back(exact_values(op_case().inputs[k], k, precision()));
    return CasePlan(op_case(), values, device, mode, copies);
  }

  // Every wanted gradient of `plan` is `factor` times that of `expected`.
  void expect_grads(const CasePlan& plan, const CasePlan& expected, double factor = 1) const {
    for (std::size_t k = 0; k < op_case().inputs.size(); ++k) {
      if (!op_case().inputs[k].needs_grad) continue;
      std::vector<double> want = expected.grad(k);
      for (double& g : want) g *= factor;
      EXPECT_LE(relative_error(plan.grad(k), want), tolerance()) << "gradient of input " << k;
    }
  }

  std::shared_ptr<const Device> cpu_;
  std::shared_ptr<const Device> reference_ = make_reference_device();
};

class OpGradientOnCpu : public OpOnCpu {};
class OpParametersOnCpu : public OpOnCpu {};

TEST_P(OpOnCpu, InferenceAndTrainingMatchReference) {
  for (Mode mode : {Mode::inference, Mode::training}) {
    CasePlan cpu = make_plan(*cpu_, mode), reference = make_plan(*reference_, mode);
    EXPECT_LE(relative_error(cpu.forward(), reference.forward()), tolerance())
        << (mode == Mode::training ? "training" : "inference");
  }
}

TEST_P(OpGradientOnCpu, MatchesReference) {
  CasePlan cpu = make_plan(*cpu_, Mode::training), reference = make_plan(*reference_, Mode::training);
  const std::vector<float> r = make_output_grad(cpu.output_shape());
  cpu.forward();
  cpu.backward(r);
  reference.forward();
  reference.backward(r);
  expect_grads(cpu, reference);
}

// A second run on the same plan leaves nothing of the first behind, and adds to the parameters' gradients.
TEST_P(OpGradientOnCpu, SecondRunAccumulatesOnlyParameterGradients) {
  CasePlan cpu = make_plan(*cpu_, Mode::training), reference = make_plan(*reference_, Mode::training);
  const std::vector<float> r = make_output_grad(cpu.output_shape());
  const std::vector<double> first = cpu.forward();
  cpu.backward(r);
  EXPECT_EQ(cpu.forward(), first) << "the same numbers give the same output, bit by bit";
  cpu.backward(r);
  reference.forward();
  reference.backward(r);
  for (std::size_t k = 0; k < op_case().inputs.size(); ++k) {
    if (!op_case().inputs[k].needs_grad) continue;
    std::vector<double> want = reference.grad(k);
    if (op_case().inputs[k].kind == OpInput::Kind::parameter)
      for (double& g : want) g *= 2;
    EXPECT_LE(relative_error(cpu.grad(k), want), tolerance()) << "gradient of input " << k;
  }
}

// Two ops read the same inputs: the second writes each gradient, the first accumulates into it.
TEST_P(OpGradientOnCpu, AccumulatesIntoSharedInputs) {
  CasePlan cpu = make_plan(*cpu_, Mode::training, 2), reference = make_plan(*reference_, Mode::training);
  const std::vector<float> r = make_output_grad(cpu.output_shape());
  cpu.forward();
  cpu.backward(r);
  reference.forward();
  reference.backward(r);
  expect_grads(cpu, reference, 2);
}

// The plan must hand new weights to kernels that repack them.
TEST_P(OpParametersOnCpu, SeesChangedParameters) {
  CasePlan cpu = make_plan(*cpu_, Mode::inference), reference = make_plan(*reference_, Mode::inference);
  cpu.forward();
  for (std::size_t k = 0; k < op_case().inputs.size(); ++k) {
    if (op_case().inputs[k].kind != OpInput::Kind::parameter) continue;
    std::vector<float> values = exact_values(op_case().inputs[k], k, precision());
    for (float& v : values) v *= -2;  // exact in any precision
    cpu.set(k, values);
    reference.set(k, values);
  }
  EXPECT_LE(relative_error(cpu.forward(), reference.forward()), tolerance());
}

const auto kPrecisions = testing::Values(Precision::f32, Precision::bf16);

INSTANTIATE_TEST_SUITE_P(Cases, OpOnCpu,
                         testing::Combine(kPrecisions, testing::ValuesIn(correctness_cases())), name_of);
INSTANTIATE_TEST_SUITE_P(Cases, OpGradientOnCpu,
                         testing::Combine(kPrecisions, testing::ValuesIn(differentiable_cases())), name_of);
INSTANTIATE_TEST_SUITE_P(Cases, OpParametersOnCpu,
                         testing::Combine(kPrecisions, testing::ValuesIn(parameter_cases())), name_of);

}  // namespace
}  // namespace diffusion
