#include "device/cpu/instruction_set.h"

namespace diffusion {

const InstructionSet& instruction_set() {
  static constexpr InstructionSet kBaseline{"baseline", baseline::kernel_table, 8, false};
  return kBaseline;
}

}  // namespace diffusion
