// Ops whose weights stay as files have them (KernelSpec::weights_stay_in_files), over the list of op cases:
// the bytes of weights of memory in f32, and what the reference computes in bf16.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <diffusion/device.h>
#include "base/float16.h"
#include "device/cpu/cpu_device.h"
#include "device/device.h"
#include "op_case_makers.h"
#include "op_case_plan.h"

namespace diffusion {
namespace {

using StoredParam = std::tuple<Precision, DType, OpCase>;

// Besides the list: slices of input channels, panels of output channels and runs of tiles and pixels that are
// not whole, and an image with more tiles than channels.
std::vector<OpCase> stored_cases() {
  std::vector<OpCase> cases = parameter_cases();
  const op_case::Padding same = op_case::all_around(1);
  for (OpCase& more : std::vector<OpCase>{
           op_case::conv({1, 272, 6, 5}, 80, 3, 1, same), op_case::conv({3, 48, 9, 9}, 320, 3, 1, same),
           op_case::conv({1, 64, 26, 24}, 48, 3, 1, same), op_case::conv({2, 72, 23, 23}, 200, 1, 1, {})})
    cases.push_back(std::move(more));
  return cases;
}

std::vector<std::byte> in_type(const std::vector<float>& values, DType type) {
  std::vector<std::byte> bytes(values.size() * size_of(type));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == DType::f32) {
      std::memcpy(bytes.data() + 4 * i, &values[i], 4);
      continue;
    }
    const std::uint16_t bits = type == DType::f16 ? to_f16(values[i]) : to_bf16(values[i]);
    std::memcpy(bytes.data() + 2 * i, &bits, 2);
  }
  return bytes;
}

class OpWithStoredWeights : public testing::TestWithParam<StoredParam> {
 protected:
  OpWithStoredWeights() {
    for (std::size_t k = 0; k < op_case().inputs.size(); ++k) {
      const OpInput& input = op_case().inputs[k];
      std::vector<float> values = make_values(input, k);
      for (float& v : values) {
        if (input.kind == OpInput::Kind::activation) v = from_bf16(to_bf16(v));
        if (input.kind == OpInput::Kind::parameter)
          v = type() == DType::f16 ? from_f16(to_f16(v)) : from_bf16(to_bf16(v));
      }
      values_.push_back(std::move(values));
    }
  }

  Precision precision() const { return std::get<0>(GetParam()); }
  DType type() const { return std::get<1>(GetParam()); }
  const OpCase& op_case() const { return std::get<2>(GetParam()); }

  ParamStore flat() const {
    ParamStore params{ParamLayout(graph_.graph)};
    for (std::size_t k = 0; k < values_.size(); ++k)
      if (const int param = graph_.graph.node(graph_.in[k]).param; param >= 0)
        std::ranges::copy(values_[k],
                          params.values().begin() + std::ptrdiff_t(params.layout().param_offset(param)));
    return params;
  }
  // Vectors are f32, as in files that are mapped.
  ParamStore stored() const {
    auto memory = std::make_shared<std::vector<std::vector<std::byte>>>();
    std::vector<ParamNumbers> numbers(graph_.graph.params().size());
    memory->reserve(numbers.size());
    for (std::size_t k = 0; k < values_.size(); ++k) {
      const Graph::Node& node = graph_.graph.node(graph_.in[k]);
      if (node.param < 0) continue;
      const DType dtype = node.shape.n == 1 ? DType::f32 : type();
      memory->push_back(in_type(values_[k], dtype));
      numbers[std::size_t(node.param)] = {dtype, memory->back().data()};
    }
    return ParamStore(ParamLayout(graph_.graph), std::move(numbers), memory, 0);
  }

  std::vector<double> evaluate(const Device& device, const ParamStore& params) const {
    Plan plan(graph_.graph, graph_.out, device, Mode::inference, params, {.poison = true});
    for (std::size_t k = 0; k < values_.size(); ++k)
      if (graph_.graph.node(graph_.in[k]).param < 0) plan.write_input(graph_.in[k], values_[k]);
    std::vector<double> out(std::size_t(graph_.graph.shape(graph_.out).elements()));
    plan.forward();
    plan.forward();  // a second run has nothing from the first
    plan.read_output(out);
    return out;
  }

  CaseGraph graph_{op_case(), 1};
  std::vector<std::vector<float>> values_;
};

TEST_P(OpWithStoredWeights, IsWhatOthersCompute) {
  if (precision() == Precision::bf16 && !multiplies_bf16()) GTEST_SKIP() << "this CPU does not multiply bf16";
  const auto cpu = make_cpu_device(precision());
  const std::vector<double> found = evaluate(*cpu, stored());
  if (precision() == Precision::f32) {
    EXPECT_EQ(found, evaluate(*cpu, flat()));
    return;
  }
  const std::vector<double> expected = evaluate(*make_reference_device(), flat());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    difference += std::pow(found[i] - expected[i], 2);
    norm += std::pow(expected[i], 2);
  }
  // That of op_device_test.cpp; numbers of f16 are rounded to bf16 once more, at 1.1e-3 in the mean square.
  EXPECT_LE(std::sqrt(difference), 1e-2 * std::sqrt(norm));
}

std::string name_of_stored(const testing::TestParamInfo<StoredParam>& test) {
  constexpr const char* kTypes[] = {"f32", "bf16", "f64", "f16"};
  return std::string(to_string(std::get<0>(test.param))) + "_" + kTypes[int(std::get<1>(test.param))] + "_" +
         std::get<2>(test.param).name;
}

INSTANTIATE_TEST_SUITE_P(Cases, OpWithStoredWeights,
                         testing::Combine(testing::Values(Precision::f32, Precision::bf16),
                                          testing::Values(DType::f32, DType::bf16, DType::f16),
                                          testing::ValuesIn(stored_cases())),
                         name_of_stored);

}  // namespace
}  // namespace diffusion
