#pragma once

// Those who train one model together. Today this is one process; what several have to do is said here, and
// the Learner and the TrainingRun call it where it has to happen.

#include "device/queue.h"
#include "train/task.h"

namespace diffusion {

class Communicator {
 public:
  // The samples of a step's batch that this process computes: all.
  SampleRange share_of(int batch) const { return {0, batch}; }

  // Gradients, on the device of the queue, become the sums over all processes.
  void sum(Queue& /*queue*/, const Tensor& /*gradients*/) const {}

  // What all must answer alike: whether it holds for all of them (a loss is finite), or for any (a stop was
  // asked for, saving is due), and the longest of their times, from which progress and rate follow.
  bool all(bool mine) const { return mine; }
  bool any(bool mine) const { return mine; }
  double longest(double seconds) const { return seconds; }
};

}  // namespace diffusion
