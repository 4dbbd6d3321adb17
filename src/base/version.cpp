#include "base/version.h"

namespace diffusion {

std::string_view version() {
  return DIFFUSION_VERSION;
}

}  // namespace diffusion
