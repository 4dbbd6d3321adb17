#include "golden_network.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>

#include "device/host_numbers.h"
#include "files/fs.h"
#include "golden_uniform.h"
#include "plan/plan.h"

namespace diffusion::golden {

namespace {

bool has(std::string_view name, std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(parts, [&](std::string_view part) { return name.find(part) != name.npos; });
}

std::vector<const ParamLayout::Entry*> sorted_entries(const ParamLayout& layout) {
  std::vector<const ParamLayout::Entry*> sorted;
  for (const ParamLayout::Entry& entry : layout.entries()) sorted.push_back(&entry);
  std::ranges::sort(sorted, {}, [](const ParamLayout::Entry* entry) { return entry->name; });
  return sorted;
}

// As many values as `count` says, the first, the last, and evenly between.
std::vector<double> some(std::span<const double> values, std::size_t count) {
  std::vector<double> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(values[i * (values.size() - 1) / (count - 1)]);
  return chosen;
}

bool is_read(const Graph& graph, Value input) {
  return std::ranges::any_of(graph.nodes(), [&](const Graph::Node& node) {
    return std::ranges::find(node.in, input.id) != node.in.end();
  });
}

}  // namespace

Json::Array cases(std::string_view file) {
  const auto path = std::filesystem::path(DIFFUSION_SOURCE_DIR) / "tests/golden" / file;
  const Json json = parse_json(read_text_file(path, 1 << 20), path.string());
  return to_array(at(json, "cases"), "cases");
}

const Json& at(const Json& golden, std::string_view key) {
  return member(golden, key, "golden");
}

std::vector<double> numbers(const Json& array) {
  std::vector<double> values;
  for (const Json& value : to_array(array, "goldens")) values.push_back(to_double(value, "goldens"));
  return values;
}

std::vector<std::string> fields_never_moved(const Json::Array& cases, const Json& defaults) {
  std::vector<std::string> fields;
  for (const auto& [field, value] : to_object(defaults, "config")) {
    const auto moves = [&](const Json& golden) {
      const Json* drawn = at(golden, "config").find(field);
      return drawn && *drawn != value;
    };
    if (!field.starts_with('_') && std::ranges::none_of(cases, moves)) fields.push_back(field);
  }
  return fields;
}

std::vector<float> uniforms(std::uint32_t tensor, std::size_t count, double scale) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = float(golden_uniform(tensor, i) * scale);
  return values;
}

void fill_weights(ParamStore& params, std::uint32_t first, std::string_view last, double gain) {
  std::uint32_t number = first;
  for (const ParamLayout::Entry* entry : sorted_entries(params.layout())) {
    const std::string& name = entry->name;
    double fan_in = 1, scale = 1, offset = 0, more = 1;
    for (std::size_t k = 1; k < entry->dims.size(); ++k) fan_in *= double(entry->dims[k]);
    if (name.ends_with("embedding.weight") || (name == "time_proj.weight" && entry->dims.size() == 2)) {
    } else if (name == "time_proj.weight") {
      scale = 0.5;
    } else if (entry->dims.size() >= 2) {
      scale = std::sqrt(3 / fan_in);
      more = has(name, {".to_q.", ".to_k.", ".q_proj.", ".k_proj."}) ? 1.5 : 1;
    } else if (has(name, {"norm"}) && name.ends_with("weight")) {
      scale = 0.3;
      offset = 1;
    } else {
      scale = 0.2;
    }
    if (name.starts_with(last)) more = gain;
    const std::span<float> values = params.values(*entry);
    for (std::size_t i = 0; i < values.size(); ++i) {
      // In two statements: a fused multiplication and addition would round otherwise than Python.
      const volatile double scaled = golden_uniform(number, i) * scale;
      values[i] = float((offset + scaled) * more);
    }
    ++number;
  }
}

std::uint32_t hash_of_names(const ParamLayout& layout) {
  std::uint32_t hash = 0x811C9DC5;
  for (const ParamLayout::Entry* entry : sorted_entries(layout))
    for (const char c : entry->name + "\n") hash = (hash ^ std::uint8_t(c)) * 0x01000193;
  return hash;
}

std::vector<double> output_of(const Graph& graph, Value output, std::span<const Input> inputs,
                              const ParamStore& params, const Device& device) {
  Plan plan(graph, output, device, Mode::inference, params, {.poison = true});
  for (const Input& input : inputs) plan.write_input(input.value, input.numbers);
  plan.forward();
  std::vector<double> values(std::size_t(graph.shape(output).elements()));
  plan.read_output(values);
  return values;
}

std::vector<std::vector<double>> gradients_of(const Graph& graph, Value output, std::span<const Input> inputs,
                                              std::size_t count, ParamStore& params, const Device& device,
                                              std::span<const float> loss) {
  const LearnedParams learned(params, device);
  Plan plan(graph, output, device, Mode::training, learned, {.poison = true, .input_grads = true});
  for (const Input& input : inputs) plan.write_input(input.value, input.numbers);
  plan.forward();
  plan.backward(loss);
  std::vector<std::vector<double>> gradients;
  for (const Input& input : inputs.first(count)) {
    gradients.emplace_back(input.numbers.size());
    if (is_read(graph, input.value)) plan.read_input_grad(input.value, gradients.back());
  }
  const HostNumbers grads(learned.queue(), learned.grads());
  for (const ParamLayout::Entry* entry : sorted_entries(params.layout())) {
    const std::span<const float> grad = grads.span().subspan(entry->offset, entry->size);
    gradients.emplace_back(grad.begin(), grad.end());
  }
  return gradients;
}

double difference_of_some(const Json& expected, std::span<const double> found) {
  const std::vector<double> values = numbers(expected), ours = some(found, values.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) worst = std::max(worst, std::fabs(ours[i] - values[i]));
  return worst;
}

double output_difference(const Json& golden, std::span<const double> output) {
  double sum = 0, squares = 0;
  for (const double value : output) sum += value;
  const double mean = sum / double(output.size());
  for (const double value : output) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / double(output.size()));
  return std::max({difference_of_some(at(golden, "f32"), output),
                   difference_of_some(at(golden, "f64"), output),
                   std::fabs(mean - to_double(at(golden, "mean"), "mean")),
                   std::fabs(deviation - to_double(at(golden, "std"), "std"))});
}

double relative_output_difference(const Json& golden, std::span<const double> output) {
  const std::vector<double> values = numbers(at(golden, "f64")), ours = some(output, values.size());
  double squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) squares += (ours[i] - values[i]) * (ours[i] - values[i]);
  return std::sqrt(squares / double(values.size())) / to_double(at(golden, "std"), "std");
}

double gradient_difference(const Json& digests, std::span<const std::vector<double>> gradients,
                           std::uint32_t tensor) {
  std::vector<std::vector<double>> expected;  // norm, product
  for (const Json& digest : to_array(digests, "grads")) expected.push_back(numbers(digest));
  if (expected.size() != gradients.size()) return std::numeric_limits<double>::infinity();
  double largest = 0, worst = 0;
  for (const std::vector<double>& digest : expected) largest = std::max(largest, digest.at(0));
  for (std::size_t k = 0; k < gradients.size(); ++k) {
    double squares = 0, product = 0;
    for (std::size_t i = 0; i < gradients[k].size(); ++i) {
      squares += gradients[k][i] * gradients[k][i];
      product += gradients[k][i] * golden_uniform(tensor, i);
    }
    const double difference =
        std::max(std::fabs(std::sqrt(squares) - expected[k].at(0)), std::fabs(product - expected[k].at(1)));
    worst = std::max(worst, difference / std::max(expected[k].at(0), 1e-2 * largest));
  }
  return worst;
}

}  // namespace diffusion::golden
