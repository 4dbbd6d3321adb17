#include "cli/options/stop_signal.h"

#include <csignal>
#include <cstdlib>
namespace diffusion {

namespace {

std::atomic<bool> stop_requested = false;

extern "C" void on_signal(int) {
  if (stop_requested.exchange(true)) std::_Exit(kExitStopped);
}

}  // namespace

const std::atomic<bool>& stop_on_signal() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return stop_requested;
}

}  // namespace diffusion
