// 48 randomly drawn networks against diffusers: tests/golden/unet_random.json, made by
// make_random_unet_goldens.py. Weights and inputs come from the formula that the script documents.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include "files/fs.h"
#include "golden_uniform.h"
#include "nn/network.h"
#include "plan/plan.h"

namespace diffusion {
namespace {

constexpr std::uint32_t kSample = 1000, kLabels = 1001, kPerCase = 2000;  // numbers of tensors

std::vector<float> uniforms(std::uint32_t tensor, std::size_t count, double scale) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = float(golden_uniform(tensor, i) * scale);
  return values;
}

bool has(std::string_view name, std::string_view part) {
  return name.find(part) != std::string_view::npos;
}

void fill_weights(ParamStore& params, std::uint32_t first, double gain) {
  std::vector<const ParamLayout::Entry*> sorted;
  for (const ParamLayout::Entry& entry : params.layout().entries()) sorted.push_back(&entry);
  std::ranges::sort(sorted, {}, [](const ParamLayout::Entry* entry) { return entry->name; });
  for (std::size_t number = 0; number < sorted.size(); ++number) {
    const ParamLayout::Entry& entry = *sorted[number];
    double fan_in = 1, scale = 1, offset = 0, more = 1;
    for (std::size_t k = 1; k < entry.dims.size(); ++k) fan_in *= double(entry.dims[k]);
    if (entry.name == "class_embedding.weight" ||
        (entry.name == "time_proj.weight" && entry.dims.size() == 2)) {
    } else if (entry.name == "time_proj.weight") {
      scale = 0.5;
    } else if (entry.dims.size() >= 2) {
      scale = std::sqrt(3 / fan_in);
      more = has(entry.name, ".to_q.") || has(entry.name, ".to_k.") ? 1.5 : 1;
    } else if (has(entry.name, "norm") && entry.name.ends_with("weight")) {
      scale = 0.3;
      offset = 1;
    } else {
      scale = 0.2;
    }
    if (entry.name.starts_with("conv_out.")) more = gain;
    const std::span<float> values = params.values(entry);
    for (std::size_t i = 0; i < values.size(); ++i) {
      // In two statements: a fused multiplication and addition would round otherwise than Python.
      const volatile double scaled = golden_uniform(first + std::uint32_t(number), i) * scale;
      values[i] = float((offset + scaled) * more);
    }
  }
}

std::vector<double> numbers(const Json& array) {
  std::vector<double> values;
  for (const Json& value : to_array(array, "goldens")) values.push_back(to_double(value, "goldens"));
  return values;
}

Json goldens() {
  const auto path = std::filesystem::path(DIFFUSION_SOURCE_DIR) / "tests/golden/unet_random.json";
  return parse_json(read_text_file(path, 1 << 20), path.string());
}

// Our whole output in f32.
std::vector<double> compute(const Json& golden, std::uint32_t first, const Device& device) {
  const NetworkConfig config = parse_network_config(member(golden, "config", "golden"), "golden");
  const std::vector<double> times = numbers(member(golden, "timesteps", "golden"));
  const std::array<int, 2> size = traits_of(config).sample_size;
  const Network net = make_network(config, int(times.size()), size[0], size[1]);
  ParamStore params{ParamLayout(net.graph)};
  fill_weights(params, first, to_double(member(golden, "gain", "golden"), "gain"));
  Plan plan(net.graph, net.output, device, Mode::inference, params);
  const auto elements = [&](Value value) { return std::size_t(net.graph.shape(value).elements()); };
  plan.write_input(net.sample, uniforms(first + kSample, elements(net.sample), std::sqrt(3.0)));
  plan.write_input(net.timestep, std::vector<float>(times.begin(), times.end()));
  const Network::Condition* classes = net.condition(kClassCondition);
  if (const Json& labels = member(golden, "labels", "golden"); labels == Json("vectors")) {
    plan.write_input(classes->value, uniforms(first + kLabels, elements(classes->value), 1));
  } else if (classes) {
    const std::vector<double> values = numbers(labels);
    plan.write_input(classes->value, std::vector<float>(values.begin(), values.end()));
  }
  plan.forward();
  std::vector<double> output(elements(net.output));
  plan.read_output(output);
  return output;
}

TEST(RandomUNets, AgreeWithDiffusersTo1e5) {
  constexpr double kTolerance = 1e-5;  // absolute; outputs have a standard deviation of about 0.5
  const auto device = make_cpu_device(Precision::f32);
  const Json file = goldens();
  const Json::Array& cases = to_array(member(file, "cases", "goldens"), "goldens");
  ASSERT_GE(cases.size(), 40u);
  double worst = 0;
  for (std::size_t number = 0; number < cases.size(); ++number) {
    SCOPED_TRACE(fmt::format("case {}: {}", number, dump_json(member(cases[number], "config", "golden"))));
    const std::vector<double> output = compute(cases[number], kPerCase * std::uint32_t(number), *device);
    for (const char* precision : {"f32", "f64"}) {
      const std::vector<double> expected = numbers(member(cases[number], precision, "golden"));
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const std::size_t place = i * (output.size() - 1) / (expected.size() - 1);
        const double difference = std::fabs(output[place] - expected[i]);
        EXPECT_LE(difference, kTolerance) << precision << ", value " << place;
        worst = std::max(worst, difference);
      }
    }
    double sum = 0, squares = 0;
    for (const double value : output) sum += value;
    const double mean = sum / double(output.size());
    for (const double value : output) squares += (value - mean) * (value - mean);
    EXPECT_NEAR(mean, to_double(member(cases[number], "mean", "golden"), "mean"), kTolerance);
    EXPECT_NEAR(std::sqrt(squares / double(output.size())),
                to_double(member(cases[number], "std", "golden"), "std"), kTolerance);
  }
  RecordProperty("worst_difference", fmt::format("{:.1e}", worst));
}

// Otherwise agreement would say nothing about a field.
TEST(RandomUNets, MoveEveryFieldOffItsDefault) {
  const Json defaults = to_json(UNetConfig());
  const Json file = goldens();
  for (const auto& [field, value] : to_object(defaults, "config")) {
    bool moved = field.starts_with('_');
    for (const Json& golden : to_array(member(file, "cases", "goldens"), "goldens"))
      if (const Json* drawn = member(golden, "config", "golden").find(field)) moved |= *drawn != value;
    EXPECT_TRUE(moved) << field;
  }
}

}  // namespace
}  // namespace diffusion
