#pragma once

// Which loops the CPU device runs. CMake compiles one of instruction_set_x86_64.cpp and
// instruction_set_portable.cpp; nothing else knows the architecture.

#include <string_view>

#include "device/cpu/kernels/table.h"

namespace diffusion {

struct InstructionSet {
  std::string_view name;
  const KernelTable& (*kernel_table)();
  int channel_block;           // of activations
  bool multiplies_bf16;        // in one instruction
  bool bf16_is_faster = true;  // than f32, if it does
};

// The best that this CPU has, we have loops for, and ONEDNN_MAX_CPU_ISA allows.
const InstructionSet& instruction_set();

}  // namespace diffusion
