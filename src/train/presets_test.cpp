#include "train/presets.h"

#include <gtest/gtest.h>

namespace diffusion {
namespace {

TEST(Presets, HaveNetworksThatTakeTheirImages) {
  for (const Preset& preset : presets()) {
    const TrainConfig config = preset_config(preset.name);
    const auto [height, width] = preset.image_size;
    const NetworkConfig network =
        fitted_to(config.network, preset.image_size, preset.image_channels, config.conditional ? 11 : 0);
    EXPECT_NO_THROW(validate_image_size(network, height, width)) << preset.name;
    EXPECT_NO_THROW(make_network(network, 1, height, width)) << preset.name;
  }
}

TEST(Presets, TrainOnImagesOfTheSizeThatTheyNameForMeasuring) {
  for (const Preset& preset : presets())
    EXPECT_EQ(preset_config(preset.name).form.size.value_or(preset.image_size), preset.image_size)
        << preset.name;
}

}  // namespace
}  // namespace diffusion
