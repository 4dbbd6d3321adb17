#include "train/held_out_images.h"

#include <fmt/format.h>

#include <utility>

#include <diffusion/error.h>
#include "train/held_out.h"

namespace diffusion {

HeldOutImages load_held_out(const TrainConfig& config, const Dataset& training,
                            const std::function<Dataset()>& load_test) {
  if (config.held_out_every == 0) return {};
  std::string reason;
  try {
    Dataset images = load_test();
    const bool conditional = config.conditional && !training.labels.empty();
    reason = why_not_held_out(training, images, conditional);
    if (reason.empty()) return {std::move(images), {}};
    reason = fmt::format("{}: {}", training.name, reason);
  } catch (const Error& error) {
    reason = error.what();
  }
  if (config.held_out_every)
    throw Error(ErrorKind::usage, "held_out_every needs test images. " + reason, {"held_out_every"});
  return {std::nullopt, "no held-out loss: " + reason};
}

}  // namespace diffusion
