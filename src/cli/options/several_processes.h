#pragma once

// What commands that several processes share have in common.

#include <CLI/CLI.hpp>

#include "train/communicator.h"

namespace diffusion {

// As given on the command line: --comm-timeout.
struct ProcessesOptions {
  double comm_timeout = 600;  // seconds that processes wait for each other
};
void add_processes_options(CLI::App& app, ProcessesOptions& options);

// The processes that MPI started together, or this one alone. Only the leader talks: in others `quiet`
// becomes true, and `json` false.
Communicator join(const ProcessesOptions& options, bool& quiet, bool& json);

}  // namespace diffusion
