// Ops whose weights stay as files have them (KernelSpec::weights_stay_in_files), over the list of op cases.

#include <gtest/gtest.h>

#include <algorithm>
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

using StoredParam = std::tuple<Precision, OpCase>;

struct FileType {
  DType type;
  const char* name;
};
constexpr FileType kFileTypes[] = {{DType::f32, "f32"}, {DType::bf16, "bf16"}, {DType::f16, "f16"}};

// Vectors are f32 wherever they come from.
bool is_stored(const OpInput& input) {
  return input.kind == OpInput::Kind::parameter && input.shape.n * input.shape.pixels() > 1;
}

// Those of the list that have such weights, and more: slices of input channels, panels of output channels and
// runs of tiles and pixels that are not whole, and an image with more tiles than channels.
std::vector<OpCase> stored_cases() {
  std::vector<OpCase> cases = parameter_cases();
  const op_case::Padding same = op_case::all_around(1);
  for (OpCase& more : std::vector<OpCase>{
           op_case::conv({1, 272, 6, 5}, 80, 3, 1, same), op_case::conv({3, 48, 9, 9}, 320, 3, 1, same),
           op_case::conv({1, 64, 26, 24}, 48, 3, 1, same), op_case::conv({2, 72, 23, 23}, 200, 1, 1, {})})
    cases.push_back(std::move(more));
  std::erase_if(cases, [](const OpCase& c) { return std::ranges::none_of(c.inputs, is_stored); });
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

double relative_error_of(const std::vector<double>& found, const std::vector<double>& expected) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    difference += std::pow(found[i] - expected[i], 2);
    norm += std::pow(expected[i], 2);
  }
  return std::sqrt(difference / norm);
}

class StoredWeightsOnCpu : public testing::TestWithParam<StoredParam> {
 protected:
  using Values = std::vector<std::vector<float>>;
  struct Result {
    std::vector<double> numbers;
    std::string implementation;
  };

  Precision precision() const { return std::get<0>(GetParam()); }
  const OpCase& op_case() const { return std::get<1>(GetParam()); }

  // Parameters that `type` holds exactly, activations that bf16 does.
  Values values(DType type) const {
    Values all;
    for (std::size_t k = 0; k < op_case().inputs.size(); ++k) {
      const OpInput& input = op_case().inputs[k];
      all.push_back(make_values(input, k));
      for (float& v : all.back()) {
        const bool is_param = input.kind == OpInput::Kind::parameter;
        if (is_param && type == DType::f16) v = from_f16(to_f16(v));
        if (input.kind == OpInput::Kind::activation || (is_param && type == DType::bf16))
          v = from_bf16(to_bf16(v));
      }
    }
    return all;
  }

  ParamStore flat(const Values& values) const {
    ParamStore params{ParamLayout(graph_.graph)};
    for (std::size_t k = 0; k < values.size(); ++k)
      if (const int param = graph_.graph.node(graph_.in[k]).param; param >= 0)
        std::ranges::copy(values[k],
                          params.values().begin() + std::ptrdiff_t(params.layout().param_offset(param)));
    return params;
  }
  ParamStore stored(const Values& values, DType type) const {
    auto memory = std::make_shared<std::vector<std::vector<std::byte>>>();
    std::vector<ParamNumbers> numbers(graph_.graph.params().size());
    memory->reserve(numbers.size());
    for (std::size_t k = 0; k < values.size(); ++k) {
      const int param = graph_.graph.node(graph_.in[k]).param;
      if (param < 0) continue;
      const DType dtype = is_stored(op_case().inputs[k]) ? type : DType::f32;
      memory->push_back(in_type(values[k], dtype));
      numbers[std::size_t(param)] = {dtype, memory->back().data()};
    }
    return ParamStore(ParamLayout(graph_.graph), std::move(numbers), memory, 0);
  }

  Result evaluate(const Device& device, const ParamStore& params, const Values& values) const {
    Plan plan(graph_.graph, graph_.out, device, Mode::inference, params, {.poison = true});
    for (std::size_t k = 0; k < values.size(); ++k)
      if (graph_.graph.node(graph_.in[k]).param < 0) plan.write_input(graph_.in[k], values[k]);
    Result result{std::vector<double>(std::size_t(graph_.graph.shape(graph_.out).elements())), ""};
    plan.set_observer([&](const StepTiming& step) { result.implementation = step.implementation; });
    plan.forward();
    plan.forward();  // a second run has nothing from the first
    plan.read_output(result.numbers);
    return result;
  }

  CaseGraph graph_{op_case(), 1};
};

// The bytes of weights of memory in f32, and where bf16 takes Winograd; else what the reference computes.
TEST_P(StoredWeightsOnCpu, ComputeWhatOthersDo) {
  if (precision() == Precision::bf16 && !multiplies_bf16()) GTEST_SKIP() << "this CPU does not multiply bf16";
  const auto cpu = make_cpu_device(precision());
  for (const auto& [type, name] : kFileTypes) {
    SCOPED_TRACE(name);
    const Values given = values(type);
    const std::vector<double> found = evaluate(*cpu, stored(given, type), given).numbers;
    const Result in_memory = evaluate(*cpu, flat(given), given);
    if (precision() == Precision::f32 || in_memory.implementation == "winograd_bf16") {
      EXPECT_EQ(found, in_memory.numbers);
      continue;
    }
    const Result expected = evaluate(*make_reference_device(), flat(given), given);
    // That of op_device_test.cpp; numbers that bf16 does not hold are rounded once more, at 1.1e-3 in the
    // mean square.
    EXPECT_LE(relative_error_of(found, expected.numbers), 1e-2);
  }
}

std::string name_of_stored(const testing::TestParamInfo<StoredParam>& test) {
  return std::string(to_string(std::get<0>(test.param))) + "_" + std::get<1>(test.param).name;
}

INSTANTIATE_TEST_SUITE_P(Cases, StoredWeightsOnCpu,
                         testing::Combine(testing::Values(Precision::f32, Precision::bf16),
                                          testing::ValuesIn(stored_cases())),
                         name_of_stored);

}  // namespace
}  // namespace diffusion
