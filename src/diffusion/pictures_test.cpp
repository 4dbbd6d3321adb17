#include "diffusion/pictures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <diffusion/device.h>
#include <diffusion/error.h>

namespace diffusion {
namespace {

using Ints = std::vector<int>;

TEST(EvenlySpaced, HasBothEndsAndNoGaps) {
  EXPECT_EQ(evenly_spaced(10, 3), (Ints{0, 5, 10}));
  EXPECT_EQ(evenly_spaced(199, 5), (Ints{0, 50, 100, 149, 199}));
  EXPECT_EQ(evenly_spaced(3, 4), (Ints{0, 1, 2, 3}));
  EXPECT_EQ(evenly_spaced(3, 1000), (Ints{0, 1, 2, 3}));
  EXPECT_EQ(evenly_spaced(7, 1), (Ints{7}));
  EXPECT_EQ(evenly_spaced(0, 9), (Ints{0}));
  const Ints many = evenly_spaced(1'000'000, 700'000);
  EXPECT_EQ(many.size(), 700'000u);
  EXPECT_EQ(many.back(), 1'000'000);
  for (std::size_t i = 1; i < many.size(); ++i) ASSERT_GT(many[i], many[i - 1]);
  EXPECT_THROW(evenly_spaced(5, 0), Error);
  EXPECT_THROW(evenly_spaced(-1, 1), Error);
}

TEST(ShowcaseTimesteps, AreThoseOfTheTutorialAt200) {
  EXPECT_EQ(showcase_timesteps(200), (Ints{0, 50, 100, 150, 199}));
  EXPECT_EQ(showcase_timesteps(2), (Ints{0, 1}));
  EXPECT_EQ(showcase_timesteps(1), (Ints{0}));
}

double mean(const Image& image) {
  return std::accumulate(image.pixels.begin(), image.pixels.end(), 0.0) / double(image.pixels.size());
}
double deviation(const Image& image, double center) {
  double sum = 0;
  for (const std::uint8_t p : image.pixels) sum += (p - center) * (p - center);
  return std::sqrt(sum / double(image.pixels.size()));
}

TEST(NoisePictures, FollowTheEquationWithOneNoiseForAllTimesteps) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 1000);
  const Image image{64, 64, 3, std::vector<std::uint8_t>(64 * 64 * 3, 170)};  // x0 = 1/3
  const Ints timesteps{0, 30, 100};
  const std::vector<Image> pictures = noise_pictures(image, schedule, timesteps, 5);
  ASSERT_EQ(pictures.size(), 3u);
  for (std::size_t i = 0; i < 2; ++i) {  // later ones are limited too often
    const double a = schedule.alpha_cumprod(timesteps[i]);
    const double center = 127.5 * (std::sqrt(a) / 3 + 1), spread = 127.5 * std::sqrt(1 - a);
    EXPECT_NEAR(mean(pictures[i]), center, 0.05 * spread);
    EXPECT_NEAR(deviation(pictures[i], center), spread, 0.06 * spread);
  }
  for (std::size_t p = 0; p < image.pixels.size(); ++p) {
    const int early = pictures[1].pixels[p] - 170, late = pictures[2].pixels[p] - 170;
    if (early > 40) {
      ASSERT_GT(late, 0) << "not the same noise at " << p;
    }
  }
  EXPECT_EQ(noise_pictures(image, schedule, timesteps, 5), pictures);
  EXPECT_NE(noise_pictures(image, schedule, timesteps, 6), pictures);
  EXPECT_THROW(noise_pictures(image, schedule, Ints{1000}, 5), Error);
  EXPECT_THROW(noise_pictures(image, schedule, Ints{-1}, 5), Error);
}

TEST(NoisePictures, KeepChannelsInPlace) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 1000, 1e-9, 1e-9 * 1.5);
  const Image image{2, 1, 3, {0, 50, 100, 150, 200, 255}};
  EXPECT_EQ(noise_pictures(image, schedule, Ints{0}, 1).front(), image);
}

TEST(NoisePictures, TakeNoiseInPlanes) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 200);
  const Image image{2, 1, 3, {0, 50, 100, 150, 200, 255}};
  const std::vector<double> noise{0.1, -0.2, 0.3, -0.4, 0.5, -0.6};  // red, green, blue of both pixels
  const double signal = std::sqrt(schedule.alpha_cumprod(60)),
               sigma = std::sqrt(1 - schedule.alpha_cumprod(60));
  const std::vector<std::uint8_t> pixels = noise_pictures(image, schedule, Ints{60}, noise).front().pixels;
  constexpr int kNoiseOf[] = {0, 2, 4, 1, 3, 5};
  for (std::size_t i = 0; i < 6; ++i) {
    const double x = signal * (image.pixels[i] / 127.5 - 1) + sigma * noise[std::size_t(kNoiseOf[i])];
    EXPECT_NEAR(pixels[i], std::clamp((x + 1) * 127.5, 0.0, 255.0), 0.5 + 1e-9) << i;
  }
  EXPECT_THROW(noise_pictures(image, schedule, Ints{60}, std::span(noise).first(5)), Error);
}

Model model_with(Preconditioner preconditioner) {
  UNetConfig config;
  config.sample_size = {8, 8};
  config.in_channels = config.out_channels = 1;
  config.block_out_channels = {8};
  config.down_block_attention = config.up_block_attention = {false};
  config.layers_per_block = 1;
  config.norm_num_groups = 4;
  ParamStore params(layout_of(config));
  params.initialize(1);
  return {config, std::move(preconditioner), {}, {}, {}, std::move(params)};
}

class DenoisingFramesOf : public ::testing::TestWithParam<Objective> {
 protected:
  Model model = model_with(GetParam() == Objective::edm
                               ? Preconditioner(EdmProcess{})
                               : Preconditioner(GetParam(), make_schedule(ScheduleKind::cosine, 100)));
  GenerateOptions options = [] {
    GenerateOptions o;
    o.count = 5;
    o.batch = 2;
    o.recipe = {.steps = 6};
    o.first = 3;
    return o;
  }();
  std::shared_ptr<const Device> device = make_cpu_device(Precision::f32);

  std::vector<std::vector<Image>> frames(int max_frames, std::vector<Image>* result = nullptr) {
    DenoisingFrames recorder(model, options, max_frames);
    const auto images =
        generate(model, *device, options, [&](const GenerateStep& step) { recorder.record(step); });
    if (result) *result = images;
    return {recorder.frames().begin(), recorder.frames().end()};
  }
};

TEST_P(DenoisingFramesOf, BeginWithNoiseAndEndWithTheResult) {
  std::vector<Image> result;
  const auto all = frames(100, &result);
  ASSERT_EQ(all.size(), 7u);
  EXPECT_EQ(all.back(), result);
  for (const Image& noise : all.front()) {
    EXPECT_NEAR(mean(noise), 127.5, 40);
    EXPECT_GT(deviation(noise, 127.5), 60);
  }
  EXPECT_NE(all.front()[0], all.front()[1]);
}

TEST_P(DenoisingFramesOf, AreTheSameWhateverTheBatchAndThinnedEvenly) {
  const auto all = frames(100);
  const auto some = frames(3);
  ASSERT_EQ(some.size(), 3u);
  EXPECT_EQ(some[0], all[0]);
  EXPECT_EQ(some[1], all[3]);
  EXPECT_EQ(some[2], all[6]);
  EXPECT_EQ(frames(1).at(0), all.back());
  options.batch = 5;
  EXPECT_EQ(frames(100), all);
}

INSTANTIATE_TEST_SUITE_P(Objectives, DenoisingFramesOf,
                         ::testing::Values(Objective::epsilon, Objective::v, Objective::edm),
                         [](const auto& test) { return std::string(to_string(test.param)); });

}  // namespace
}  // namespace diffusion
