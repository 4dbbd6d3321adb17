#include "cli/commands/part_progress.h"

namespace diffusion {

void PartProgress::show(const EvaluationProgress& now) {
  if (!line_ || now.part != part_) {
    line_.reset();
    line_.emplace(std::string(now.part), now.images, quiet_, now.images > 0 ? "images" : "");
    part_ = now.part;
  }
  line_->update(now.share, now.note);
}

}  // namespace diffusion
