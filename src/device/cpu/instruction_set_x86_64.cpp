#include "device/cpu/instruction_set.h"

#include "device/cpu/onednn_call.h"

namespace diffusion {

namespace {

constexpr InstructionSet kBaseline{"baseline", baseline::kernel_table, 8, false};
constexpr InstructionSet kAvx2{"avx2", avx2::kernel_table, 8, false};
constexpr InstructionSet kAvx512{"avx512", avx512::kernel_table, 16, false};
constexpr InstructionSet kAvx512Bf16{"avx512_bf16", avx512_bf16::kernel_table, 16, true};

}  // namespace

// What oneDNN will use, so that ours and its kernels agree on the channel block that is fast.
const InstructionSet& instruction_set() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  if (isa == dnnl::cpu_isa::sse41 || isa == dnnl::cpu_isa::avx) return kBaseline;
  if (isa == dnnl::cpu_isa::avx2) return kAvx2;
  if (isa == dnnl::cpu_isa::avx512_core || isa == dnnl::cpu_isa::avx512_core_vnni) return kAvx512;
  return __builtin_cpu_supports("avx512bf16") ? kAvx512Bf16
         : __builtin_cpu_supports("avx512bw") ? kAvx512
         : __builtin_cpu_supports("avx2")     ? kAvx2
                                              : kBaseline;
}

}  // namespace diffusion
