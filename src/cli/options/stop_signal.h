#pragma once

#include <atomic>

namespace diffusion {

// Exit codes of a program that a signal stopped (docs/exit-codes.md).
inline constexpr int kExitInterrupted = 75;  // saved, resumable
inline constexpr int kExitStopped = 130;     // nothing was saved

// From now on the first SIGINT or SIGTERM makes this true, for a command that can stop in good order; a
// second one ends the process at once with kExitStopped.
const std::atomic<bool>& stop_on_signal();

}  // namespace diffusion
