#include "device/cpu/instruction_set.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "device/cpu/onednn_call.h"

namespace diffusion {

namespace {

constexpr InstructionSet kBaseline{"baseline", baseline::kernel_table, 8, false};
constexpr InstructionSet kAvx2{"avx2", avx2::kernel_table, 8, false};
constexpr InstructionSet kAvx512{"avx512", avx512::kernel_table, 16, false};
constexpr InstructionSet kAvx512Bf16{"avx512_bf16", avx512_bf16::kernel_table, 16, true};
// Intel's products of pairs take twice as long as its f32 products, so they come with no speed.
constexpr InstructionSet kSlowBf16{"avx512_bf16", avx512_bf16::kernel_table, 16, true, false};
constexpr InstructionSet kAmx{"amx_bf16", amx_bf16::kernel_table, 16, true};

// Linux gives a process the registers for tiles only if it asks (Documentation/arch/x86/xstate.rst).
bool tiles_are_granted() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

}  // namespace

// What oneDNN will use, so that ours and its kernels agree on the channel block that is fast.
const InstructionSet& instruction_set() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  if (isa == dnnl::cpu_isa::sse41 || isa == dnnl::cpu_isa::avx) return kBaseline;
  if (isa == dnnl::cpu_isa::avx2) return kAvx2;
  if (isa == dnnl::cpu_isa::avx512_core || isa == dnnl::cpu_isa::avx512_core_vnni) return kAvx512;
  if (__builtin_cpu_supports("avx512bf16")) {
    // Larger sets have the bits of the smaller ones.
    const auto tiles = int(dnnl::cpu_isa::avx512_core_amx);
    if ((int(isa) & tiles) == tiles && tiles_are_granted()) return kAmx;
    return __builtin_cpu_is("intel") ? kSlowBf16 : kAvx512Bf16;
  }
  return __builtin_cpu_supports("avx512bw") ? kAvx512 : __builtin_cpu_supports("avx2") ? kAvx2 : kBaseline;
}

}  // namespace diffusion
