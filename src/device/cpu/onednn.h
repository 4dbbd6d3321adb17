#pragma once

// The only door to oneDNN (2.x and 3.x): no dnnl type leaves the files onednn*.cpp.
// (instruction_set_x86_64.cpp asks which instruction set it uses.)

#include <cstddef>
#include <memory>
#include <string>

#include "base/tensor.h"
#include "graph/ops.h"

namespace diffusion::onednn {

std::string version();  // "oneDNN 2.6.3"

struct ConvolutionSpec {
  Conv2d op;
  TensorDesc in, out;  // channel-blocked
  Shape weight;        // [Cout, Cin / groups, K, K]
  bool has_bias = false;
  bool training = false;
  bool needs_input_grad = false, needs_weight_grad = true;  // in training
  bool keeps_weights = true;  // else, in inference, each forward is given packed ones
};

// One convolution with everything created once: primitives, packed weights. Activation pointers are in the
// spec's formats; weights and biases are plain f32, [Cout, Cin / groups, K, K] and [Cout].
class Convolution {
 public:
  // Throws Error(internal) with oneDNN's reason if it cannot.
  explicit Convolution(const ConvolutionSpec& spec);
  ~Convolution();

  std::size_t workspace_bytes() const;
  std::string_view implementation() const;  // of the forward

  void load_weights(const float* weight);
  // Without keeping them.
  std::size_t packed_weight_bytes() const;
  void pack_weights(const float* weight, std::byte* packed);
  void forward(const void* x, const std::byte* packed_weight, const float* bias, void* y,
               std::byte* workspace);

  void forward(const void* x, const float* bias, void* y, std::byte* workspace);
  void backward_data(const void* dy, void* dx, std::byte* workspace);                 // overwrites dx
  void backward_weights(const void* x, const void* dy, float* dweight, float* dbias,  // adds to both
                        std::byte* workspace);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

enum class PoolingKind { max, mean };  // mean: of the pixels that are there, without padding

struct PoolingSpec {
  PoolingKind kind = PoolingKind::max;
  int kernel = 2, stride = 2, pad = 0;
  TensorDesc in, out;  // channel-blocked, of one format
  bool training = false;
};

// Largest values or means of windows.
class Pooling {
 public:
  // Throws Error(internal) with oneDNN's reason if it cannot.
  explicit Pooling(const PoolingSpec& spec);
  ~Pooling();

  std::size_t saved_bytes() const;  // what forward leaves for backward
  std::size_t workspace_bytes() const;
  std::string_view implementation() const;  // of the forward

  void forward(const void* x, void* y, std::byte* saved, std::byte* workspace);
  void backward(const void* dy, void* dx, const std::byte* saved, std::byte* workspace);  // overwrites dx

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace diffusion::onednn
