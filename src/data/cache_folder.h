#pragma once

#include <filesystem>
#include <string>

namespace diffusion {

// The value of an environment variable; empty if it is not set.
std::string environment(const char* variable);

// Where data sets are kept that were downloaded or prepared: DIFFUSION_CACHE_DIR if that is set, else
// $XDG_CACHE_HOME/diffusion, else ~/.cache/diffusion. Empty if the environment names none; a relative
// XDG_CACHE_HOME does not count, as the XDG specification says. The folder need not exist.
std::filesystem::path cache_folder();

}  // namespace diffusion
