#pragma once

#include <functional>
#include <optional>
#include <string>

#include <diffusion/dataset.h>
#include "train/config.h"

namespace diffusion {

// The images for HeldOut, or why there are none.
struct HeldOutImages {
  std::optional<Dataset> images;
  std::string why_not;  // for a person; empty if there are images, or none are wanted
};

// The test images of the data set of `training`, which `load_test` loads; it is not called if
// config.held_out_every is 0. Without any, training goes on without them, unless they were asked for: if
// config.held_out_every is set, Error(usage) saying why there are none.
HeldOutImages load_held_out(const TrainConfig& config, const Dataset& training,
                            const std::function<Dataset()>& load_test);

}  // namespace diffusion
