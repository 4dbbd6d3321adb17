#pragma once

// What the processes of one run tell each other outside of its steps.

#include "diffusion/model.h"
#include "train/checkpoint.h"
#include "train/communicator.h"
#include "train/learner.h"

namespace diffusion {

// Error(usage) in the leader, naming process, host and every difference, unless all train the same
// configuration on the same data, with a build and a CPU that compute the same bits; the others then wait for
// ever. Error(usage) everywhere if there are more processes than slices.
void check_same_everywhere(const Communicator& communicator, int slices, const TrainingState& state);

// The leader's step, times and weights become those of all, if it has `resumed` a run, and its moments and
// average those of their owners. `model` has the weights on the host.
void share_resumed(const Communicator& communicator, bool resumed, TrainingState& state, Model& model,
                   const Learner& learner);

// What holds for all after a step: the longest time of it, and whether one of them has to save.
struct Agreement {
  double seconds = 0;
  bool save = false;
};
Agreement agree(const Communicator& communicator, const Agreement& mine);

// Whether it holds for one of them.
bool any(const Communicator& communicator, bool mine);

}  // namespace diffusion
