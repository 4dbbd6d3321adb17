#include "data/cache_folder.h"

#include <cstdlib>

#include "files/folders.h"

namespace diffusion {

namespace fs = std::filesystem;

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value ? value : "";
}

fs::path cache_folder() {
  if (const std::string own = environment("DIFFUSION_CACHE_DIR"); !own.empty()) return from_root(own);
  fs::path base = environment("XDG_CACHE_HOME");
  if (!base.is_absolute()) {
    const fs::path home = environment("HOME");
    if (!home.is_absolute()) return {};
    base = home / ".cache";
  }
  return base / "diffusion";
}

}  // namespace diffusion
