#pragma once

#include <memory>

#include <diffusion/device.h>

namespace diffusion {

// The CPU device (make_cpu_device()) without Winograd, for comparisons. Activations of both are
// channel-blocked (16 channels with AVX-512, else 8).
std::shared_ptr<const Device> make_direct_cpu_device(Precision precision);

bool multiplies_bf16();

}  // namespace diffusion
