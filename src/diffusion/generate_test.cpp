#include <diffusion/generate.h>

#include <gtest/gtest.h>

#include <algorithm>

#include <diffusion/device.h>
#include "device/cpu/cpu_device.h"
#include "diffusion/model.h"
#include "train/presets.h"

namespace diffusion {
namespace {

// The default preset's network with random weights: real channel counts, so the kernels that real models use.
Model random_model() {
  UNetConfig unet = std::get<UNetConfig>(preset_config("fashion-mnist").network);
  unet.sample_size = {28, 28};
  unet.in_channels = unet.out_channels = 1;
  unet.class_embed_type = ClassEmbedding::table;
  unet.num_class_embeds = 11;
  Model model{unet, Preconditioner(Objective::v, make_schedule(ScheduleKind::cosine, 1000)),
              {},   10,
              {},   ParamStore(layout_of(unet))};
  model.params.initialize(1);
  return model;
}

std::vector<Image> sample(Precision precision, int count, int first, int batch, int threads) {
  set_threads(threads);
  Model model = random_model();
  const auto device = make_cpu_device(precision);
  GenerateOptions options;
  options.count = count;
  options.first = first;
  options.batch = batch;
  options.seed = 9;
  options.recipe = {.steps = 3, .guidance = {.scale = 1.5}};
  std::vector<Image> images = generate(model, *device, options);
  set_threads(0);
  return images;
}

class Invariance : public ::testing::TestWithParam<Precision> {};

TEST_P(Invariance, ImageIsTheSameBytesAloneInAnyBatchAndForAnyThreads) {
  if (GetParam() == Precision::bf16 && !multiplies_bf16())
    GTEST_SKIP() << "skipped: this CPU does not multiply bf16";
  const std::vector<Image> all = sample(GetParam(), 9, 0, 64, 2);
  ASSERT_EQ(all.size(), 9u);
  EXPECT_NE(all[0].pixels, all[1].pixels);
  EXPECT_EQ(sample(GetParam(), 1, 4, 64, 2)[0].pixels, all[4].pixels) << "alone";
  const std::vector<Image> in_fours = sample(GetParam(), 9, 0, 4, 1);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(in_fours[i].pixels, all[i].pixels) << "image " << i;
  const std::vector<Image> tail = sample(GetParam(), 4, 5, 3, 3);
  for (std::size_t i = 0; i < tail.size(); ++i)
    EXPECT_EQ(tail[i].pixels, all[5 + i].pixels) << "image " << 5 + i;
}

INSTANTIATE_TEST_SUITE_P(Precisions, Invariance, ::testing::Values(Precision::f32, Precision::bf16),
                         [](const auto& param_info) { return std::string(to_string(param_info.param)); });

TEST(Generate, PixelsAreRoundedAndClamped) {
  const std::vector<double> x{-1.5, -1, -0.9961, 0, 0.9961, 1, 3};
  const Image image = to_image(x, 1, 1, 7);
  EXPECT_EQ(image.pixels, (std::vector<std::uint8_t>{0, 0, 0, 128, 255, 255, 255}));
}

TEST(Generate, ImpossibleRequestsAreRefused) {
  Model model = random_model();
  const auto device = make_cpu_device();
  const auto refused = [&](auto change) {
    GenerateOptions options;
    options.count = 1;
    options.recipe = {.steps = 1};
    change(options);
    try {
      generate(model, *device, options);
    } catch (const Error& e) {
      return e.kind() == ErrorKind::usage;
    }
    return false;
  };
  EXPECT_TRUE(refused([](GenerateOptions& o) { o.count = 0; }));
  EXPECT_TRUE(refused([](GenerateOptions& o) { o.recipe->steps = 0; }));
  EXPECT_TRUE(refused([](GenerateOptions& o) { o.recipe->steps = 1001; }));
  EXPECT_TRUE(refused([](GenerateOptions& o) { o.label = 10; }));
  EXPECT_TRUE(refused([](GenerateOptions& o) { o.label = -1; }));
  EXPECT_TRUE(refused([](GenerateOptions& o) { o.recipe->sampler = Dpmpp{.values = 7}; }));
  EXPECT_TRUE(refused([](GenerateOptions& o) { o.height = 27; }));
  EXPECT_TRUE(refused([](GenerateOptions& o) {
    o.first = 2'147'483'647;
    o.count = 2;
  }));
}

}  // namespace
}  // namespace diffusion
