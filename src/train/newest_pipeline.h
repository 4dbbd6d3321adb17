#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace diffusion {

// find_pipeline() (pipeline/find_model.h), but of a training run the newest checkpoint that is whole,
// wherever RUN/latest leads: `report` is told if that is elsewhere (newest_checkpoint()).
std::filesystem::path find_newest_pipeline(const std::filesystem::path& model,
                                           const std::function<void(const std::string&)>& report);

}  // namespace diffusion
