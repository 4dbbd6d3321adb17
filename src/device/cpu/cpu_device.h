#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "device/device.h"

namespace diffusion {

enum class Precision { automatic, f32, bf16 };

std::string_view to_string(Precision precision);   // "auto", "f32", "bf16"
Precision parse_precision(std::string_view name);  // Error(usage) listing the names

// oneDNN convolutions and our own fused kernels. Activations are channel-blocked (16 channels with AVX-512,
// else 8) in f32 or bf16; parameters, their gradients, statistics and accumulation are f32. `automatic` is
// what fastest_precision() says; asking for bf16 where the CPU does not multiply it is Error(usage).
std::unique_ptr<Device> make_cpu_device(Precision precision = Precision::automatic);

// The same without Winograd, for comparisons.
std::unique_ptr<Device> make_direct_cpu_device(Precision precision);

// What `automatic` means on this machine: bf16 where the CPU multiplies it natively and faster than f32, else
// f32.
Precision fastest_precision();
bool multiplies_bf16();

// The number of threads that kernels use from now on; 0 means all cores this process may run on. More than
// kMaxThreads can end the process inside the thread library.
inline constexpr int kMaxThreads = 1024;
void set_threads(int threads);
int thread_count();

// For the record of a run: effective instruction set and library ("avx512_bf16, oneDNN 2.6.3").
std::string cpu_description();

}  // namespace diffusion
