// 48 randomly drawn networks against diffusers: tests/golden/unet_random.json, made by
// make_random_unet_goldens.py. Weights and inputs come from the formula that the script documents.

#include <diffusion/device.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "golden_network.h"
#include "nn/network.h"

namespace diffusion {
namespace {

constexpr std::uint32_t kSample = 1000, kLabels = 1001, kPerCase = 2000;  // numbers of tensors
constexpr char kUNets[] = "unet_random.json";

// Our whole output in f32.
std::vector<double> compute(const Json& golden, std::uint32_t first, const Device& device) {
  const NetworkConfig config = parse_network_config(golden::at(golden, "config"), "golden");
  const std::vector<double> times = golden::numbers(golden::at(golden, "timesteps"));
  const std::array<int, 2> size = traits_of(config).sample_size;
  const Network net = make_network(config, int(times.size()), size[0], size[1]);
  ParamStore params{ParamLayout(net.graph)};
  golden::fill_weights(params, first, "conv_out.", to_double(golden::at(golden, "gain"), "gain"));
  const auto elements = [&](Value value) { return std::size_t(net.graph.shape(value).elements()); };
  std::vector<golden::Input> inputs{
      {net.sample, golden::uniforms(first + kSample, elements(net.sample), std::sqrt(3.0))},
      {net.timestep, std::vector<float>(times.begin(), times.end())}};
  const Network::Condition* classes = net.condition(kClassCondition);
  if (const Json& labels = golden::at(golden, "labels"); labels == Json("vectors")) {
    inputs.push_back({classes->value, golden::uniforms(first + kLabels, elements(classes->value))});
  } else if (classes) {
    const std::vector<double> values = golden::numbers(labels);
    inputs.push_back({classes->value, std::vector<float>(values.begin(), values.end())});
  }
  return golden::output_of(net.graph, net.output, inputs, params, device);
}

TEST(RandomUNets, AgreeWithDiffusersTo1e5) {
  const auto device = make_cpu_device(Precision::f32);
  const Json::Array goldens = golden::cases(kUNets);
  ASSERT_GE(goldens.size(), 40u);
  double worst = 0;
  for (std::size_t number = 0; number < goldens.size(); ++number) {
    SCOPED_TRACE(fmt::format("case {}: {}", number, dump_json(golden::at(goldens[number], "config"))));
    const double difference = golden::output_difference(
        goldens[number], compute(goldens[number], kPerCase * std::uint32_t(number), *device));
    EXPECT_LE(difference, 1e-5);  // absolute; outputs have a standard deviation of about 0.5
    worst = std::max(worst, difference);
  }
  RecordProperty("worst_difference", fmt::format("{:.1e}", worst));
}

TEST(RandomUNets, MoveEveryFieldOffItsDefault) {
  EXPECT_EQ(golden::fields_never_moved(golden::cases(kUNets), to_json(UNetConfig())),
            std::vector<std::string>());
}

}  // namespace
}  // namespace diffusion
