#pragma once

#include <functional>
#include <memory>

#include "exchange/wire.h"

namespace diffusion::fixtures {

// Calls work(wire) in `size` threads at once, whose wires carry bytes from one to another as processes' do.
// Rethrows what the first of them threw. A thread that waits for 20 s, or for one that has ended, gives the
// rank that did not answer.
void run_together(int size, const std::function<void(std::shared_ptr<Wire> wire)>& work);

}  // namespace diffusion::fixtures
