#include "device/cpu/cpu_device.h"

#include <fmt/format.h>
#include <omp.h>

#include <diffusion/error.h>
#include "device/cpu/cpu_kernels.h"
#include "device/cpu/instruction_set.h"
#include "device/cpu/kernel_table.h"
#include "device/cpu/onednn.h"
#include "device/device.h"
#include "device/host_queue.h"

namespace diffusion {

namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

constexpr std::int64_t kNarrow = 4;  // channels up to which an image stays plain f32

class CpuDevice final : public Device {
 public:
  CpuDevice(Precision precision, bool winograd)
      : env_{&instruction_set().kernel_table(), thread_count(), winograd},
        activation_{precision == Precision::bf16 ? DType::bf16 : DType::f32,
                    instruction_set().channel_block} {}

  std::string_view name() const override { return "cpu"; }

  std::unique_ptr<DeviceMemory> allocate(std::size_t bytes) const override {
    return allocate_host_memory(bytes);
  }
  std::shared_ptr<Queue> queue() const override { return queue_; }

  Format input_format(const Shape& shape) const override {
    return shape.c <= kNarrow || shape.pixels() == 1 ? kPlain : activation_;
  }

  Format output_format(const Op& op, std::span<const TensorDesc> in, const Shape& out) const override {
    return std::visit(
        Overloaded{[](const Linear&) { return kPlain; }, [](const TimestepEmbedding&) { return kPlain; },
                   [](const FourierEmbedding&) { return kPlain; }, [](const MeanOfPixels&) { return kPlain; },
                   [&](const Embedding&) { return out.pixels() == 1 ? kPlain : activation_; },
                   [&](const AddPosition&) { return in[0].format; },
                   [&](const Activate&) { return in[0].format; }, [&](const Add&) { return in[0].format; },
                   [&](const Affine&) { return in[0].format; }, [&](const DivideBy&) { return in[0].format; },
                   [&](const Dropout&) { return in[0].format; },
                   [&](const auto&) { return out.c <= kNarrow ? kPlain : activation_; }},
        op);
  }

  std::unique_ptr<Kernel> compile(const KernelSpec& spec) const override {
    if (spec.weights_stay_in_files)
      if (auto streamed =
              cpu::make_streamed(spec, env_, [this](const KernelSpec& inner) { return compile(inner); }))
        return streamed;
    std::unique_ptr<Kernel> fast = std::visit(
        Overloaded{[&](const Conv2d& op) { return cpu::make_conv(op, spec, env_); },
                   [&](const ConvTranspose2d& op) { return cpu::make_conv_transpose(op, spec, env_); },
                   [&](const Linear&) { return cpu::make_linear(spec, env_); },
                   [&](const GroupNorm& op) { return cpu::make_group_norm(op, spec, env_); },
                   [&](const Attention& op) { return cpu::make_attention(op, spec, env_); },
                   [&](const LinearAttention& op) { return cpu::make_linear_attention(op, spec, env_); },
                   [&](const ChannelNorm& op) { return cpu::make_channel_norm(op, spec, env_); },
                   [&](const CrossAttention& op) { return cpu::make_cross_attention(op, spec, env_); },
                   [&](const Activate& op) { return cpu::make_activate(op, spec, env_); },
                   [&](const Gate& op) { return cpu::make_gate(op, spec, env_); },
                   [&](const Add& op) { return cpu::make_add(op, spec, env_); },
                   [&](const Concat&) { return cpu::make_concat(spec, env_); },
                   [&](const Upsample&) { return cpu::make_upsample(spec, env_); },
                   [&](const UpsampleConv2d&) { return cpu::make_upsample_conv(spec, env_); },
                   [&](const AvgPool& op) { return cpu::make_avg_pool(op, spec, env_); },
                   [&](const MaxPool& op) { return cpu::make_max_pool(op, spec, env_); },
                   // Rare: the plain form will do.
                   [](const MeanOfPixels&) { return std::unique_ptr<Kernel>(); },
                   [](const Affine&) { return std::unique_ptr<Kernel>(); },
                   [](const DivideBy&) { return std::unique_ptr<Kernel>(); },
                   [&](const TimestepEmbedding& op) { return cpu::make_timestep_embedding(op, spec); },
                   [](const FourierEmbedding&) { return std::unique_ptr<Kernel>(); },
                   [&](const Embedding&) { return cpu::make_embedding(spec, env_); },
                   [&](const AddPosition&) { return cpu::make_add_position(spec, env_); },
                   [&](const Dropout& op) { return cpu::make_dropout(op, spec, env_); }},
        spec.op);
    return fast ? std::move(fast) : cpu::make_fallback(spec);
  }

  std::unique_ptr<UpdateKernel> compile_update(const UpdateSpec& spec) const override {
    return cpu::make_update(spec, env_);
  }

 private:
  static constexpr Format kPlain{DType::f32, 1};
  cpu::Environment env_;
  Format activation_;
  std::shared_ptr<Queue> queue_ = make_host_queue();
};

}  // namespace

std::string_view to_string(Precision precision) {
  switch (precision) {
    case Precision::automatic:
      return "auto";
    case Precision::f32:
      return "f32";
    case Precision::bf16:
      return "bf16";
  }
  return "?";
}

Precision parse_precision(std::string_view name) {
  for (const Precision precision : {Precision::automatic, Precision::f32, Precision::bf16})
    if (to_string(precision) == name) return precision;
  throw Error(ErrorKind::usage, fmt::format("precision is \"{}\"; accepted are: auto, f32, bf16", name),
              {"precision"});
}

Precision fastest_precision() {
  return multiplies_bf16() && instruction_set().bf16_is_faster ? Precision::bf16 : Precision::f32;
}

bool multiplies_bf16() {
  return instruction_set().multiplies_bf16;
}

namespace {

std::shared_ptr<const Device> make(Precision precision, bool winograd) {
  if (precision == Precision::automatic) precision = fastest_precision();
  if (precision == Precision::bf16 && !multiplies_bf16())
    throw Error(ErrorKind::usage,
                fmt::format("precision bf16 needs a CPU with AVX512-BF16; this one has {}. Use f32 or auto",
                            cpu_description()));
  return std::make_shared<CpuDevice>(precision, winograd);
}

}  // namespace

std::shared_ptr<const Device> make_cpu_device(Precision precision) {
  return make(precision, true);
}

std::shared_ptr<const Device> make_direct_cpu_device(Precision precision) {
  return make(precision, false);
}

void set_threads(int threads) {
  omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs());
}

int thread_count() {
  return omp_get_max_threads();
}

std::string cpu_description() {
  return fmt::format("{}, {}", instruction_set().name, onednn::version());
}

const KernelTable& cpu_kernel_table() {
  return instruction_set().kernel_table();
}

}  // namespace diffusion
