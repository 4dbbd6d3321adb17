#include "device/cpu/cpu_kernels.h"
#include "device/device.h"

namespace diffusion::cpu {

// The reference kernels read and write tensors of any format.
std::unique_ptr<Kernel> make_fallback(const KernelSpec& spec) {
  return make_reference_device()->compile(spec);
}

}  // namespace diffusion::cpu
