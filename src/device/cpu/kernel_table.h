#pragma once

#include "device/cpu/kernels/table.h"

namespace diffusion {

// The loops for this machine, for those who work on flat blocks outside a plan (optimizer, clipping).
const KernelTable& cpu_kernel_table();

}  // namespace diffusion
