#pragma once

// THE list of op cases. It feeds the gradient check, the comparison of devices with the reference, and the
// benchmark: a new op, or a size that once broke, is one row here.

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace diffusion {

// What a test feeds to one input of an op.
struct OpInput {
  enum class Kind {
    activation,  // normal numbers: offset + scale * n
    parameter,   // the same, as a parameter of the graph
    timestep,    // in (0, 1000), not whole
    divisor,     // in (0.1, 10)
    index,       // whole numbers in [0, rows)
    mask         // 1 or 0; of several samples the last has only 0
  };
  Kind kind = Kind::activation;
  Shape shape;
  bool needs_grad = true;
  double scale = 1, offset = 0;
  std::int64_t rows = 0;  // of an index
};

struct OpCase {
  std::string name;  // letters, digits and underscores
  Op op;
  std::vector<OpInput> inputs;
};

void PrintTo(const OpCase& op_case, std::ostream* out);  // GoogleTest shows a case by its name

std::vector<OpCase> correctness_cases();  // small
std::vector<OpCase> benchmark_cases();    // realistic sizes, too slow for the reference

// The correctness cases with an input that gets a gradient, and those with a parameter.
std::vector<OpCase> differentiable_cases();
std::vector<OpCase> parameter_cases();

// The numbers of one input, a pure function of (input, its index in the op). All but timesteps are multiples
// of 2^-16, so that a step of 2^-16 in either direction is exact in f32.
std::vector<float> make_values(const OpInput& input, std::size_t index);

}  // namespace diffusion
