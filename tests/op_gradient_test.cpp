// Gradients of the reference device against central finite differences of the loss L = sum(r * out), in f64.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "op_case_plan.h"

namespace diffusion {
namespace {

// Inputs are multiples of the step (make_values), so x + step and x - step are exact in f32. In f64 this
// small step leaves a truncation error of step^2 / 6 ~ 4e-11 and a rounding error of 1e-16 L / step ~ 1e-10.
constexpr float kStep = 0x1p-16f;

// Of the larger of the gradient and the tensor's root mean square. 6e-8 is the rounding of parameter
// gradients to f32; the rest is room for gradients that cancel, whose L is much larger than they are.
constexpr double kTolerance = 1e-6;

// Elements of each input that are moved; fewer where a forward pass of the plain loops takes long.
std::size_t samples(const OpCase& c) {
  constexpr std::size_t kLarge = 4096;
  for (const OpInput& input : c.inputs)
    if (std::size_t(input.shape.elements()) > kLarge) return 6;
  return 24;
}

double dot(const std::vector<float>& r, const std::vector<double>& out) {
  return std::inner_product(r.begin(), r.end(), out.begin(), 0.0);
}

double root_mean_square(const std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += v * v;
  return std::sqrt(sum / double(values.size()));
}

// Some elements, all of them if there are few.
std::vector<std::size_t> sample_elements(std::size_t size, std::size_t most) {
  std::vector<std::size_t> elements;
  for (std::size_t i = 0; i < std::min(size, most); ++i)
    elements.push_back(std::size_t(permute({.seed = 5, .stream = Stream::shuffle}, i, size)));
  return elements;
}

class OpGradient : public testing::TestWithParam<OpCase> {};

TEST_P(OpGradient, MatchesFiniteDifferences) {
  const OpCase& c = GetParam();
  const auto device = make_reference_device();
  std::vector<std::vector<float>> values;
  for (std::size_t k = 0; k < c.inputs.size(); ++k) values.push_back(make_values(c.inputs[k], k));
  CasePlan plan(c, values, *device, Mode::training);
  const std::vector<float> r = make_output_grad(plan.output_shape());
  plan.forward();
  plan.backward(r);
  std::vector<std::vector<double>> grads(c.inputs.size());  // all of them, before the next forward
  for (std::size_t k = 0; k < c.inputs.size(); ++k)
    if (c.inputs[k].needs_grad) grads[k] = plan.grad(k);

  for (std::size_t k = 0; k < c.inputs.size(); ++k) {
    if (!c.inputs[k].needs_grad) continue;
    const std::vector<double>& grad = grads[k];
    const double scale = root_mean_square(grad);
    EXPECT_GT(scale, 0) << "input " << k << " has no gradient";
    for (std::size_t i : sample_elements(grad.size(), samples(c))) {
      const auto loss_at = [&](float x) {
        std::vector<float> moved = values[k];
        moved[i] = x;
        plan.set(k, moved);
        return dot(r, plan.forward());
      };
      const float x = values[k][i];
      const double expected = (loss_at(x + kStep) - loss_at(x - kStep)) / (2.0 * double(kStep));
      EXPECT_NEAR(grad[i], expected, kTolerance * std::max(std::abs(expected), scale))
          << "input " << k << " " << to_string(c.inputs[k].shape) << " element " << i;
    }
    plan.set(k, values[k]);
  }
}

INSTANTIATE_TEST_SUITE_P(Reference, OpGradient, testing::ValuesIn(differentiable_cases()),
                         [](const auto& test) { return test.param.name; });

// One value read twice by one op: both gradients meet in one tensor.
TEST(OpGradientOfSharedInput, IsTheSumOfBothUses) {
  Graph graph;
  const Value x = graph.input("x", {1, 2, 2, 2});
  const Value sum = graph.add(Add{.scale = 3}, {x, x}, "sum");
  const Value both = graph.add(Concat{}, {sum, sum}, "both");
  ParamStore params{ParamLayout(graph)};
  const auto device = make_reference_device();
  Plan plan(graph, both, *device, Mode::training, params, {.poison = true, .input_grads = true});
  plan.write_input(x, std::vector<float>(8, 1.f));
  plan.forward();
  std::vector<float> r(16);
  std::iota(r.begin(), r.end(), 1.f);
  plan.backward(r);
  std::vector<double> dx(8);
  plan.read_input_grad(x, dx);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(dx[i], 6.0 * double(r[i] + r[i + 8])) << i;
}

}  // namespace
}  // namespace diffusion
