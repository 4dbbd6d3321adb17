#include "diffusion/golden_pass.h"

#include <gtest/gtest.h>

#include <limits>

#include <diffusion/device.h>
#include "device/device.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

UNetConfig golden_config() {
  UNetConfig c;
  c.in_channels = c.out_channels = 1;
  c.block_out_channels = {16, 16};
  c.down_block_attention = c.up_block_attention = {false, false};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  c.sample_size = {64, 16};
  return c;
}

Model model_of(const UNetConfig& config) {
  Model model{config, Preconditioner(Objective::v, make_schedule(ScheduleKind::cosine, 100)),
              {},     {},
              {},     ParamStore(layout_of(config))};
  model.params.initialize(3);
  return model;
}

TEST(GoldenPass, SurvivesItsJsonAndIsReproduced) {
  Model model = model_of(golden_config());
  const auto device = make_cpu_device(Precision::f32);
  const GoldenPass pass = make_golden_pass(model, *device);
  EXPECT_EQ(pass.size, (std::array<int, 2>{32, 16}));  // 64 is more than needed
  ASSERT_EQ(pass.levels.size(), 3u);
  EXPECT_EQ(pass.levels[0].time, 0);
  EXPECT_EQ(pass.levels[2].time, 99);
  EXPECT_EQ(pass.levels[0].first.size(), GoldenPass::kValues);
  const GoldenPass back = parse_golden_pass(to_json(pass), "d.json");
  EXPECT_EQ(largest_difference(pass, back), 0);
  std::vector<double> times;
  for (const GoldenPass::Level& level : back.levels) times.push_back(level.time);
  EXPECT_EQ(largest_difference(back, run_golden_pass(model, *device, back.size, times)), 0);
}

TEST(GoldenPass, OtherWeightsAndOtherDevicesAreToldApart) {
  Model model = model_of(golden_config());
  const GoldenPass pass = make_golden_pass(model, *make_cpu_device(Precision::f32));
  const double exact = largest_difference(pass, make_golden_pass(model, *make_reference_device()));
  EXPECT_LT(exact, kGoldenTolerance / 30);
  model.params.values(*model.params.layout().find("conv_in.weight"))[4] += 1;
  model.params.mark_changed();
  EXPECT_GT(largest_difference(pass, make_golden_pass(model, *make_cpu_device(Precision::f32))),
            kGoldenTolerance);
}

TEST(GoldenPass, EveryKindOfNetworkHasOne) {
  UNetConfig table = golden_config(), vector = golden_config(), fourier = golden_config(),
             learned = golden_config();
  table.class_embed_type = ClassEmbedding::table;
  table.num_class_embeds = 3;
  vector.class_embed_type = ClassEmbedding::identity;
  fourier.time_embedding_type = TimeEmbedding::fourier;
  learned.time_embedding_type = TimeEmbedding::learned;
  learned.num_train_timesteps = 10;
  for (UNetConfig config : {table, vector, fourier, learned}) {
    config.sample_size = {8, 8};
    Model model = model_of(config);
    const GoldenPass pass = make_golden_pass(model, *make_cpu_device(Precision::f32));
    EXPECT_EQ(largest_difference(pass, pass), 0);  // finite
  }
}

TEST(GoldenPass, WhatIsNotFiniteDiffers) {
  const GoldenPass good{{8, 8}, {{1, 0, 1, {0.5, 0.25}}}};
  GoldenPass bad = good;
  bad.levels[0].first[1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(largest_difference(good, bad), std::numeric_limits<double>::infinity());
  bad.levels[0].first[1] = std::numeric_limits<double>::infinity();
  EXPECT_EQ(largest_difference(good, bad), std::numeric_limits<double>::infinity());
  bad.levels[0].first.pop_back();
  EXPECT_EQ(largest_difference(good, bad), std::numeric_limits<double>::infinity());
}

TEST(GoldenPass, BrokenRecordsAreRefusedByField) {
  for (const char* text :
       {"[]", "{}", R"({"height": 0, "width": 8, "levels": []})",
        R"({"height": 8, "width": 8, "levels": []})", R"({"height": 99999, "width": 8, "levels": []})",
        R"({"height": 8, "width": 8, "levels": [{"time": 1, "mean": 0, "std": "1", "first": []}]})",
        R"({"height": 8, "width": 8, "levels": [{"time": 1, "mean": 0, "std": 1}]})"}) {
    const std::string message = scratch::error_of(
        ErrorKind::bad_input, [&] { parse_golden_pass(parse_json(text, "d.json"), "d.json"); });
    EXPECT_NE(message.find("d.json: field golden"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace diffusion
