#pragma once

// What computes.

#include <memory>
#include <string>
#include <string_view>

namespace diffusion {

// A device: memory, a queue of work, and kernels. Only the library looks inside. Several models, evaluators
// and threads may use one at the same time.
class Device;

// Of activations and of the weights that they are multiplied with. Parameters, their gradients, statistics
// and accumulation are f32 whatever this says.
enum class Precision { automatic, f32, bf16 };

std::string_view to_string(Precision precision);   // "auto", "f32", "bf16"
Precision parse_precision(std::string_view name);  // Error(usage) listing the names

// The processor: oneDNN convolutions and our own fused kernels, with the best instructions that it has.
// `automatic` is what fastest_precision() says; asking for bf16 where the CPU does not multiply it is
// Error(usage).
std::shared_ptr<const Device> make_cpu_device(Precision precision = Precision::automatic);

// What `automatic` means on this machine: bf16 where the CPU multiplies it natively and faster than f32, else
// f32.
Precision fastest_precision();

// The number of threads that kernels use from now on; 0 means all cores this process may run on. More than
// kMaxThreads can end the process inside the thread library.
inline constexpr int kMaxThreads = 1024;
void set_threads(int threads);
int thread_count();

// For records of what computed something: effective instruction set and library ("avx512_bf16, oneDNN
// 2.6.3").
std::string cpu_description();

}  // namespace diffusion
