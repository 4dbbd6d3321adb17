#pragma once

// Pictures that several processes make together, each some of them; see train/communicator.h.

#include <functional>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/generate.h>
#include "diffusion/model.h"
#include "train/communicator.h"

namespace diffusion {

// The options for `count` of the images, from number `done` of the call on.
GenerateOptions part_of(const GenerateOptions& all, int done, int count);

// Which steps of images that others make the leader is told of, whose states they have to send for that.
enum class StepsTold { none, last, all };

// Error(usage) in the leader, naming process, host and every difference, unless all make the same pictures:
// with the same options, and a model, a build and a CPU that compute the same bits; the others then wait for
// ever.
void check_same_pictures(const Communicator& communicator, const Model& model, const Device& device,
                         const GenerateOptions& options);

// What generate() does, its errors included: all its images in the leader, none in the others. `on_step` is
// called for the process's own images as they are made, and in the leader afterwards for those of the others,
// in their order, as `told`.
std::vector<Image> generate_together(const Communicator& communicator, const Model& model,
                                     const Device& device, const GenerateOptions& options, StepsTold told,
                                     const std::function<void(const GenerateStep&)>& on_step);

}  // namespace diffusion
