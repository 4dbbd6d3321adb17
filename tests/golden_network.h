#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "device/device.h"
#include "formats/json.h"
#include "graph/graph.h"
#include "plan/param_store.h"

// What tests share that compare networks with their originals in Python: weights and inputs by the formula of
// golden_uniform.h, and digests of gradients. The same as in tests/golden/golden_network.py.
namespace diffusion::golden {

// The member "cases" of a file in tests/golden.
Json::Array cases(std::string_view file);
// A member that the golden must have.
const Json& at(const Json& golden, std::string_view key);
std::vector<double> numbers(const Json& array);
// The fields of a configuration that have their default in all cases, but for those that begin with '_':
// agreement would say nothing about them.
std::vector<std::string> fields_never_moved(const Json::Array& cases, const Json& defaults);

// Numbers in [-scale, scale).
std::vector<float> uniforms(std::uint32_t tensor, std::size_t count, double scale = 1);

// Weights of gain about 1, norms and biases that matter. The parameter at place i of the sorted names has the
// numbers of tensor `first` + i; what is called `last`... is multiplied by `gain`.
void fill_weights(ParamStore& params, std::uint32_t first, std::string_view last, double gain);

// FNV-1a of the sorted names of all parameters, each with a line feed.
std::uint32_t hash_of_names(const ParamLayout& layout);

struct Input {
  Value value;
  std::vector<float> numbers;
};
std::vector<double> output_of(const Graph& graph, Value output, std::span<const Input> inputs,
                              const ParamStore& params, const Device& device);

// The gradients of sum(output * loss): of the first `count` inputs, then of every parameter in the order of
// the names. That of an input which nothing reads is zero.
std::vector<std::vector<double>> gradients_of(const Graph& graph, Value output, std::span<const Input> inputs,
                                              std::size_t count, ParamStore& params, const Device& device,
                                              std::span<const float> loss);

// Of every sample the [rows, columns] as [columns, rows]: tokens are [N,C,T] here and [N,T,C] in goldens.
template <class T>
std::vector<T> transposed(const std::vector<T>& values, std::size_t rows, std::size_t columns) {
  std::vector<T> result(values.size());
  const std::size_t size = rows * columns;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t n = i / size, row = i % size / columns, column = i % columns;
    result[n * size + column * rows + row] = values[i];
  }
  return result;
}

// The largest difference from values that are stored of a tensor, the first, the last, and evenly between.
double difference_of_some(const Json& expected, std::span<const double> found);

// The largest difference of the output from what is stored of it: values in f32 and f64, mean and deviation.
double output_difference(const Json& golden, std::span<const double> output);

// The root mean square of the output's differences from the stored values in f64, relative to the deviation.
double relative_output_difference(const Json& golden, std::span<const double> output);

// The largest difference of a gradient from its digest (norm, product with the uniform numbers of `tensor`),
// relative to the norm, or to a hundredth of the largest norm: gradients may be zero but for rounding.
double gradient_difference(const Json& digests, std::span<const std::vector<double>> gradients,
                           std::uint32_t tensor);

}  // namespace diffusion::golden
