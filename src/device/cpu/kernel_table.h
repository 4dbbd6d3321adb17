#pragma once

#include "device/cpu/kernels/table.h"

namespace diffusion {

// The loops for this machine, for those who measure them or multiply matrices outside a plan.
const KernelTable& cpu_kernel_table();

}  // namespace diffusion
