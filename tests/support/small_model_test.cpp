#include "support/small_model.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <variant>

#include <diffusion/models.h>
#include "train/presets.h"

namespace diffusion {

Model fixtures::small_model(const SmallModel& options) {
  UNetConfig unet = std::get<UNetConfig>(preset_config("tiny").network);
  unet.sample_size = {kSmallPictureSide, kSmallPictureSide};
  unet.in_channels = unet.out_channels = 1;
  if (!options.channels.empty()) {
    unet.block_out_channels = options.channels;
    unet.down_block_attention = unet.up_block_attention =
        std::vector<bool>(options.channels.size(), options.attention);
    unet.norm_num_groups = 4;
    unet.attention_head_dim = 4;
  }
  if (options.classes > 0) {
    unet.class_embed_type = ClassEmbedding::table;
    unet.num_class_embeds = options.classes + 1;
  }
  Model made{unet, Preconditioner(Objective::v, make_schedule(ScheduleKind::cosine, 1000)),
             {},   options.classes > 0 ? std::optional(options.classes) : std::nullopt,
             {},   ParamStore(layout_of(unet))};
  made.params.initialize(1);
  return made;
}

Image fixtures::small_picture(int number) {
  Image image{kSmallPictureSide, kSmallPictureSide, 1, {}};
  for (int k = 0; k < kSmallPictureSide * kSmallPictureSide; ++k)
    image.pixels.push_back(std::uint8_t(k * (number + 3) * 7 % 256));
  return image;
}

namespace {

TEST(SmallModel, IsOfTheFormThatWasAskedFor) {
  const Model plain = fixtures::small_model({}),
              classes = fixtures::small_model({.classes = 3, .channels = {8}});
  EXPECT_EQ(plain.traits().sample_size, (std::array<int, 2>{8, 8}));
  EXPECT_EQ(plain.class_count(), 0);
  EXPECT_FALSE(plain.null_class);
  EXPECT_EQ(classes.class_count(), 3);
  EXPECT_EQ(classes.null_class, 3);
}

}  // namespace
}  // namespace diffusion
