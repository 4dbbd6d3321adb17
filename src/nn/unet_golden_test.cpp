// The network against PyTorch: tests/golden/unet_*.safetensors hold weights, inputs, outputs and all
// gradients of tiny networks, made by tests/golden/make_unet_goldens.py and make_convnext_goldens.py in
// double precision.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include "device/device.h"
#include "device/host_numbers.h"
#include "files/fs.h"
#include "formats/safetensors.h"
#include "nn/network.h"
#include "plan/plan.h"

namespace diffusion {
namespace {

std::filesystem::path golden_dir() {
  return std::filesystem::path(DIFFUSION_SOURCE_DIR) / "tests/golden";
}

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_dir()))
    if (entry.path().extension() == ".safetensors" && entry.path().stem().string().starts_with("unet_"))
      names.push_back(entry.path().stem().string().substr(5));
  std::ranges::sort(names);
  return names;
}

std::vector<float> floats(const SafetensorsFile& file, const std::string& name) {
  const TensorView* view = file.find(name);
  if (!view) return {};
  std::vector<float> values(std::size_t(view->elements()));
  read_f32(*view, values);
  return values;
}

template <class A, class B>
double relative_error(const A& found, const B& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(double(found[i]) - double(expected[i]), 2);
    size += std::pow(double(expected[i]), 2);
  }
  return std::sqrt(difference / std::max(size, 1e-30));
}

double norm(std::span<const float> values) {
  double sum = 0;
  for (float v : values) sum += double(v) * double(v);
  return std::sqrt(sum);
}

struct Golden {
  NetworkConfig config;
  SafetensorsFile file;

  explicit Golden(const std::string& name)
      : config(read_config(name)),
        file(SafetensorsFile::open(golden_dir() / ("unet_" + name + ".safetensors"))) {}

  static NetworkConfig read_config(const std::string& name) {
    const std::filesystem::path path = golden_dir() / ("unet_" + name + ".json");
    return parse_network_config(parse_json(read_text_file(path, 1 << 20), path.string()), path.string());
  }
};

class UNetGolden : public ::testing::TestWithParam<std::string> {};

// Worst relative error over the output, the input's gradient and every parameter's gradient.
void check(const std::string& name, const Device& device, double tolerance) {
  const Golden golden(name);
  const auto& dims = golden.file.find("input/sample")->dims;
  Network net = make_network(golden.config, int(dims[0]), int(dims[2]), int(dims[3]));
  ParamStore params{ParamLayout(net.graph)};

  std::size_t found = 0;
  for (const ParamLayout::Entry& entry : params.layout().entries()) {
    const TensorView* view = golden.file.find("param/" + entry.name);
    ASSERT_NE(view, nullptr) << "not in PyTorch's model: " << entry.name;
    ASSERT_EQ(view->dims, entry.dims) << entry.name;
    read_f32(*view, params.values(entry));
    ++found;
  }
  const auto in_file = std::ranges::count_if(
      golden.file.tensors(), [](const TensorView& t) { return t.name.starts_with("param/"); });
  ASSERT_EQ(found, std::size_t(in_file)) << "PyTorch's model has parameters that ours lacks";

  const LearnedParams learned(params, device);
  Plan plan(net.graph, net.output, device, Mode::training, learned, {.poison = true, .input_grads = true});
  plan.write_input(net.sample, floats(golden.file, "input/sample"));
  plan.write_input(net.timestep, floats(golden.file, "input/timestep"));
  if (const Network::Condition* classes = net.condition(kClassCondition))
    plan.write_input(classes->value, floats(golden.file, "input/class_labels"));
  plan.forward();
  const std::vector<float> output = floats(golden.file, "output");
  std::vector<double> ours(output.size());
  plan.read_output(ours);
  EXPECT_LE(relative_error(ours, output), tolerance) << "output";

  plan.backward(floats(golden.file, "grad_output"));
  const HostNumbers grads(learned.queue(), learned.grads());
  for (const ParamLayout::Entry& entry : params.layout().entries()) {
    if (!entry.trainable) continue;
    const std::span<const float> grad = grads.span().subspan(entry.offset, entry.size);
    if (entry.name.ends_with("to_k.bias")) {
      // Softmax does not see a constant added to all keys: the true gradient is zero, so what is left is
      // rounding, small against the gradient of the queries' bias next to it.
      const std::string neighbor = std::string(entry.name).replace(entry.name.rfind("to_k"), 4, "to_q");
      EXPECT_LE(norm(grad), tolerance * norm(floats(golden.file, "grad/" + neighbor))) << entry.name;
      continue;
    }
    EXPECT_LE(relative_error(grad, floats(golden.file, "grad/" + entry.name)), tolerance) << entry.name;
  }
  const std::vector<float> input_grad = floats(golden.file, "grad_input");
  std::vector<double> our_grad(input_grad.size());
  plan.read_input_grad(net.sample, our_grad);
  EXPECT_LE(relative_error(our_grad, input_grad), tolerance) << "gradient of the input";

  // An inference plan shares memory differently and may use other kernels, but computes the same function.
  Plan inference(net.graph, net.output, device, Mode::inference, params, {.poison = true});
  inference.write_input(net.sample, floats(golden.file, "input/sample"));
  inference.write_input(net.timestep, floats(golden.file, "input/timestep"));
  if (const Network::Condition* classes = net.condition(kClassCondition))
    inference.write_input(classes->value, floats(golden.file, "input/class_labels"));
  inference.forward();
  inference.read_output(ours);
  EXPECT_LE(relative_error(ours, output), tolerance) << "output in inference mode";
}

// The goldens are f64 results rounded to f32.
TEST_P(UNetGolden, ReferenceDevice) {
  check(GetParam(), *make_reference_device(), 1e-6);
}

TEST_P(UNetGolden, CpuDeviceF32) {
  check(GetParam(), *make_cpu_device(Precision::f32), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Tiny, UNetGolden, ::testing::ValuesIn(golden_names()),
                         [](const auto& param_info) { return param_info.param; });

}  // namespace
}  // namespace diffusion
