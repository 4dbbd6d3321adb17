#pragma once

#include <memory>
#include <optional>

#include "exchange/wire.h"

namespace diffusion {

// What the environment says of the processes that mpirun (or srun) started together. Its number in them, and
// how many there are, so far as it is told before MPI begins.
struct StartedTogether {
  bool by_open_mpi;  // else by MPICH, or a starter that speaks as it does
  int rank, size;
};

// None if this process was started alone.
std::optional<StartedTogether> started_together();

// The wire between them, which waits for `seconds` for each other; nullptr if this process was started alone.
// Error(usage) if this build has no module for the MPI that started it, Error(io) if MPI cannot begin.
std::shared_ptr<Wire> join_processes(double seconds);

// For a process that fails before it has joined the others, who may wait for it: joins them, so that it can
// end them. Leaves it where that cannot be.
void join_to_end_all();

// If this process has joined others and they are not done: ends all of them, and itself, with this exit code,
// after half a second for what was printed to reach the terminal.
void end_all_processes(int code);

}  // namespace diffusion
