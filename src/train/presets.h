#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "train/config.h"

namespace diffusion {

// A recipe by name, for data of a kind.
struct Preset {
  std::string_view name, summary;
  void (*apply)(TrainConfig& config);
  // The images that its network is made for: what to measure where there are no data that decide.
  std::array<int, 2> image_size{28, 28};  // height, width
  int image_channels = 1;
};
std::span<const Preset> presets();
// The one that suits data: sound-64 for a set of sounds, else by the name of the data set, else by the size
// that its images shall get or, without one, that of the first. Errors as first_image_size() of
// data/load_path.h.
std::string_view preset_for_data(const std::string& data, const std::optional<std::array<int, 2>>& size);
// The first that has this data set for a default, else, and if none is given, the first of all.
std::string_view preset_for(std::string_view data);
// For images of this height and width: folder-64 above 48 pixels, else the first of all.
std::string_view preset_for(std::array<int, 2> size);
// The defaults of a preset. Error(usage) listing the names for an unknown one.
TrainConfig preset_config(std::string_view name);
// The slices of a preset give way to another batch: to the most that divide both.
void fit_slices_to_batch(TrainConfig& config);

}  // namespace diffusion
