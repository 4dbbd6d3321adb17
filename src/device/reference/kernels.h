#pragma once

// Inside of the reference device: each kernel copies what it reads into Arrays, computes in double with the
// plainest loops, and stores whole Arrays. So the kernels work on tensors of any format, although the device
// itself asks for plain f64.

#include <memory>
#include <string_view>
#include <vector>

#include "device/kernel.h"
#include "device/update.h"

namespace diffusion::reference {

// The values of a tensor of any format, in double.
class Array {
 public:
  explicit Array(const Shape& shape) : shape_(shape), values_(std::size_t(shape.elements()), 0.0) {}
  explicit Array(const Tensor& tensor);  // a copy of its values

  const Shape& shape() const { return shape_; }
  double& operator()(std::int64_t n, std::int64_t c, std::int64_t pixel = 0) {
    return values_[std::size_t((n * shape_.c + c) * shape_.pixels() + pixel)];
  }
  double operator()(std::int64_t n, std::int64_t c, std::int64_t pixel = 0) const {
    return values_[std::size_t((n * shape_.c + c) * shape_.pixels() + pixel)];
  }
  // All of them, as [N, C, H, W].
  std::vector<double>& values() { return values_; }
  const std::vector<double>& values() const { return values_; }

  // Into any format; zeroes the channels that only fill a block.
  void store_to(const Tensor& tensor) const;
  // A gradient, as `mode` says; nothing happens if it is not wanted.
  void store_to(const Tensor& tensor, GradMode mode) const;

 private:
  Shape shape_;
  std::vector<double> values_;
};

class ReferenceKernel : public Kernel {
 public:
  std::string_view implementation() const final { return "reference"; }
};

std::unique_ptr<Kernel> make_kernel(const Conv2d& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const ConvTranspose2d& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const Linear& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const GroupNorm& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const ChannelNorm& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const Attention& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const CrossAttention& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const LinearAttention& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const Activate& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const Gate& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const Add& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const Affine& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const DivideBy& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const Concat& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const Upsample& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const UpsampleConv2d& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const AvgPool& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const MaxPool& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const MeanOfPixels& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const TimestepEmbedding& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const FourierEmbedding& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const Embedding& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const AddPosition& op, Mode mode);
std::unique_ptr<Kernel> make_kernel(const Dropout& op, Mode mode);
std::unique_ptr<UpdateKernel> make_update(const UpdateSpec& spec);

}  // namespace diffusion::reference
