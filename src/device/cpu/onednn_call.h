#pragma once

// What primitives of oneDNN have in common, for the files onednn*.cpp only.

#include <array>
#include <dnnl.hpp>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/tensor.h"

namespace diffusion::onednn {

using dnnl::memory;
using tag = memory::format_tag;
using data_type = memory::data_type;

const dnnl::engine& engine();

// Error(memory) or Error(internal) with oneDNN's reason. `what` is for the message: "a convolution of ...".
[[noreturn]] void rethrow(const dnnl::error& e, std::string_view what);

data_type type_of(DType dtype);  // f32 or bf16
memory::desc activation_desc(const TensorDesc& t);
dnnl::primitive_attr user_scratchpad();
// Bytes of such an array, with what aligns the next.
std::size_t padded_bytes(const memory::desc& desc);

// A primitive with its argument list laid out once. Running it allocates nothing here: only addresses change.
class Call {
 public:
  Call(dnnl::primitive primitive) : primitive_(std::move(primitive)) {}

  void argument(int index, const memory::desc& desc);
  // Addresses in the order in which arguments were added.
  void run(std::initializer_list<const void*> addresses);

 private:
  static constexpr int kMaxArguments = 8;

  dnnl::primitive primitive_;
  std::array<memory, kMaxArguments> memories_;
  std::array<dnnl_exec_arg_t, kMaxArguments> arguments_{};
  int count_ = 0;
};

}  // namespace diffusion::onednn
