#pragma once

#include <atomic>

namespace diffusion {

inline constexpr int kExitStopped = 130;  // by a signal, and nothing was saved

// From now on the first SIGINT or SIGTERM makes this true, for a command that can stop in good order; a
// second one ends the process at once with kExitStopped.
const std::atomic<bool>& stop_on_signal();

}  // namespace diffusion
