#include "cli/options/several_processes.h"

#include "exchange/processes.h"

namespace diffusion {

void add_processes_options(CLI::App& app, ProcessesOptions& options) {
  app.add_option("--comm-timeout", options.comm_timeout,
                 "Seconds that processes which work together (mpirun) wait for one that does not answer")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str()
      ->group("Machine");
}

Communicator join(const ProcessesOptions& options, bool& quiet, bool& json) {
  Communicator communicator(join_processes(options.comm_timeout));
  if (!communicator.leads()) {
    quiet = true;
    json = false;
  }
  return communicator;
}

}  // namespace diffusion
