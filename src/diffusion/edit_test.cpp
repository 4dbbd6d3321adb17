#include <diffusion/edit.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include <diffusion/models.h>
#include <diffusion/restore.h>
#include "base/rng.h"
#include "diffusion/model.h"
#include "diffusion/samplers/inversion.h"
#include "diffusion/samplers/repaint.h"
#include "support/exact_gaussian.h"
#include "support/fixtures.h"
#include "support/small_model.h"

namespace diffusion {
namespace {

using fixtures::kSmallPictureSide, fixtures::small_picture;

// Three classes and none.
const Model& tiny_model() {
  static const Model model = fixtures::small_model({.classes = 3});
  return model;
}

const Device& f32_device() {
  static const auto made = make_cpu_device(Precision::f32);
  return *made;
}

Image half_mask() {
  Image mask{kSmallPictureSide, kSmallPictureSide, 1,
             std::vector<std::uint8_t>(kSmallPictureSide * kSmallPictureSide, 0)};
  std::fill_n(mask.pixels.begin(), kSmallPictureSide * kSmallPictureSide / 2, std::uint8_t{255});
  return mask;
}

GenerateOptions sampling_of(int count) {
  GenerateOptions options;
  options.count = count;
  options.seed = 4;
  options.recipe = SamplingRecipe{.sampler = DpmppSde{}, .steps = 4};
  return options;
}

TEST(Edit, StrengthZeroIsThePictureAndOneIsPlainSampling) {
  const std::vector<Image> pictures{small_picture(1), small_picture(2)};
  EditOptions options{.sampling = sampling_of(3), .strength = 0};
  EXPECT_EQ(edit(tiny_model(), f32_device(), pictures, options),
            (std::vector<Image>{pictures[0], pictures[1], pictures[0]}));
  options.strength = 1;
  EXPECT_EQ(edit(tiny_model(), f32_device(), pictures, options),
            generate(tiny_model(), f32_device(), options.sampling));
  options.strength = 0.5;
  const std::vector<Image> half = edit(tiny_model(), f32_device(), pictures, options);
  EXPECT_NE(half[0], pictures[0]);
  EXPECT_NE(half[0], half[2]) << "other noise";
}

TEST(Edit, StrengthIsTheShareOfStepsThatAreTaken) {
  EXPECT_EQ(first_step_of(0, 20), 20);
  EXPECT_EQ(first_step_of(0.01, 20), 19) << "one at least";
  EXPECT_EQ(first_step_of(0.6, 20), 8);
  EXPECT_EQ(first_step_of(0.58, 50), 50 - 28) << "rounded down as diffusers does, 0.58 * 50 being below 29";
  EXPECT_EQ(first_step_of(1, 20), 0);
}

TEST(Edit, ImageIsTheSameBytesAloneAndInAnyBatch) {
  const std::vector<Image> pictures{small_picture(1), small_picture(2)};
  for (const bool masked : {false, true}) {
    EditOptions options{.sampling = sampling_of(5), .strength = 0.7, .jump = 2, .resample = 2};
    if (masked) options.mask = half_mask();
    const std::vector<Image> all = edit(tiny_model(), f32_device(), pictures, options);
    options.sampling.batch = 2;
    EXPECT_EQ(edit(tiny_model(), f32_device(), pictures, options), all);
    options.sampling.first = 3;
    options.sampling.count = 1;
    EXPECT_EQ(edit(tiny_model(), f32_device(), pictures, options)[0], all[3]);
  }
}

TEST(Edit, KnownPixelsStayToTheByte) {
  const std::vector<Image> pictures{small_picture(5)};
  for (const SamplerEntry& entry : samplers()) {
    EditOptions options{
        .sampling = sampling_of(2), .strength = 1, .mask = half_mask(), .jump = 2, .resample = 2};
    options.sampling.recipe = with_sampler(*options.sampling.recipe, entry.sampler, tiny_model());
    options.sampling.recipe->steps = 5;
    for (const Image& image : edit(tiny_model(), f32_device(), pictures, options)) {
      const auto kept = std::span(image.pixels).last(kSmallPictureSide * kSmallPictureSide / 2);
      EXPECT_TRUE(std::ranges::equal(kept, std::span(pictures[0].pixels).last(kept.size()))) << entry.name;
      EXPECT_FALSE(std::ranges::equal(std::span(image.pixels).first(kept.size()),
                                      std::span(pictures[0].pixels).first(kept.size())))
          << entry.name;
    }
  }
}

TEST(Edit, RefusesWhatCannotBe) {
  const std::vector<Image> pictures{small_picture(1)};
  const auto message = [&](const auto& change) {
    EditOptions options{.sampling = sampling_of(1), .mask = half_mask()};
    change(options);
    return std::string(
        fixtures::error_of([&] { edit(tiny_model(), f32_device(), pictures, options); }).what());
  };
  EXPECT_NE(message([](EditOptions& o) { o.strength = 1.5; }).find("strength is 1.5"), std::string::npos);
  EXPECT_NE(message([](EditOptions& o) { o.strength = std::nan(""); }).find("strength is nan"),
            std::string::npos);
  EXPECT_NE(message([](EditOptions& o) { o.mask.pixels[3] = 7; }).find("neither black nor white"),
            std::string::npos);
  EXPECT_NE(
      message([](EditOptions& o) { std::ranges::fill(o.mask.pixels, std::uint8_t{0}); }).find("all black"),
      std::string::npos);
  EXPECT_NE(
      message([](EditOptions& o) { std::ranges::fill(o.mask.pixels, std::uint8_t{255}); }).find("all white"),
      std::string::npos);
  EXPECT_NE(message([](EditOptions& o) {
              o.mask = Image{4, 4, 1, std::vector<std::uint8_t>(16)};
            }).find("4 x 4"),
            std::string::npos);
  EXPECT_NE(message([](EditOptions& o) { o.jump = 0; }).find("jump is 0"), std::string::npos);
  EXPECT_NE(message([](EditOptions& o) { o.sampling.label = 9; }).find("label 9"), std::string::npos);
  const std::vector<Image> large{Image{9, 9, 1, std::vector<std::uint8_t>(81)}};
  EXPECT_THROW(edit(tiny_model(), f32_device(), large, {.sampling = sampling_of(1)}), Error);
  EXPECT_THROW(edit(tiny_model(), f32_device(), {}, {.sampling = sampling_of(1)}), Error);
}

TEST(Repaint, JumpsWhereAMultipleOfTheJumpIsLeft) {
  EXPECT_EQ(repaint_path(3, 1, 1), (std::vector<std::size_t>{0, 1, 2, 3}));
  EXPECT_EQ(repaint_path(5, 2, 2), (std::vector<std::size_t>{0, 1, 2, 3, 2, 1, 2, 3, 4, 5, 4, 3, 4, 5}));
  EXPECT_EQ(repaint_path(4, 10, 10), (std::vector<std::size_t>{0, 1, 2, 3, 4}));
}

// Two numbers that are one: data (a, a), a of N(m, s^2). If the first is known, so is the second; without
// jumps RePaint hardly knows it.
TEST(Repaint, ResamplingMakesTheUnknownPartAgreeWithTheKnown) {
  using exact_gaussian::kMean, exact_gaussian::kStd;
  constexpr std::size_t kImages = 500;
  constexpr double kKnown = 1;
  const Denoiser denoise = [](std::span<const double> x, double sigma, std::span<double> denoised) {
    const double keep = kStd * kStd / (kStd * kStd + sigma * sigma / 2);
    for (std::size_t k = 0; k < x.size(); k += 2)
      denoised[k] = denoised[k + 1] = kMean + keep * ((x[k] + x[k + 1]) / 2 - kMean);
  };
  const auto error = [&](int resample) {
    std::vector<double> picture;
    for (std::size_t k = 0; k < kImages; ++k) picture.insert(picture.end(), {kKnown, 0});
    const OwnSampler sampler = repaint_sampler(
        {.sampler = Ddpm{}, .picture = picture, .known = {true, false}, .jump = 5, .resample = resample});
    const std::vector<double> sigmas = karras_sigmas(20, 0.02, 80);
    const NoiseSource noise = image_noise(1, 0, 2);
    std::vector<double> x = exact_gaussian::started(noise, sigmas.front(), 2 * kImages);
    run_sampler(sampler, denoise, sigmas, noise, x);
    double sum = 0;
    for (std::size_t k = 0; k < x.size(); k += 2) sum += (x[k + 1] - kKnown) * (x[k + 1] - kKnown);
    return std::sqrt(sum / kImages);
  };
  const double without = error(1), with = error(10);
  EXPECT_GT(without, 0.05);
  EXPECT_LT(with, 0.75 * without);
}

TEST(Slerp, EndsInItsEndsAndKeepsNorms) {
  std::vector<double> a(3000), b(3000);
  fill_normal({1, Stream::sample_noise, 0, 0}, a);
  fill_normal({2, Stream::sample_noise, 0, 0}, b);
  EXPECT_EQ(slerp(a, b, 0), a);
  EXPECT_EQ(slerp(a, b, 1), b);
  const auto norm = [](const std::vector<double>& x) {
    double sum = 0;
    for (const double value : x) sum += value * value;
    return std::sqrt(sum);
  };
  for (const double t : {0.1, 0.5, 0.9}) {
    const double expected = std::lerp(norm(a), norm(b), t);
    EXPECT_NEAR(norm(slerp(a, b, t)) / expected, 1, 0.01) << t;
  }
  const std::vector<double> middle = slerp(a, a, 0.5);
  for (std::size_t k = 0; k < a.size(); ++k) EXPECT_DOUBLE_EQ(middle[k], a[k]);
}

TEST(Interpolate, EndsAreWhatSamplingMakesOfThem) {
  const Model& model = tiny_model();
  GenerateOptions sampling = sampling_of(1);
  const std::vector<Image> frames =
      interpolate(model, f32_device(), {.seed = 7, .label = 1}, {.seed = 8, .label = 2}, 5, sampling);
  ASSERT_EQ(frames.size(), 5u);
  sampling.seed = 7;
  sampling.label = 1;
  EXPECT_EQ(generate(model, f32_device(), sampling)[0], frames.front());
  sampling.seed = 8;
  sampling.label = 2;
  EXPECT_EQ(generate(model, f32_device(), sampling)[0], frames.back());
  sampling.batch = 2;
  EXPECT_EQ(interpolate(model, f32_device(), {.seed = 7, .label = 1}, {.seed = 8, .label = 2}, 5, sampling),
            frames);
  EXPECT_THROW(interpolate(model, f32_device(), {}, {}, 1, sampling_of(1)), Error);
}

// On data that are exactly normal the ODE upwards has a known solution.
TEST(Invert, FollowsTheExactSolutionUpwards) {
  using exact_gaussian::kMean, exact_gaussian::kStd;
  const auto error = [](const Sampler& inversion, int steps) {
    std::vector<double> sigmas = exact_gaussian::smooth_levels(steps);
    std::ranges::reverse(sigmas);
    const double per_std = 0.8;
    std::vector<double> x{kMean + per_std * std::hypot(kStd, sigmas.front())};
    run_sampler(inversion, exact_gaussian::gaussian_denoiser, sigmas, {}, x);
    return std::abs((x[0] - kMean) / std::hypot(kStd, sigmas.back()) - per_std);
  };
  EXPECT_NEAR(std::log2(error(ddim_inversion(), 100) / error(ddim_inversion(), 200)), 1, 0.2);
  EXPECT_NEAR(std::log2(error(heun_inversion(), 100) / error(heun_inversion(), 200)), 2, 0.3);
}

double psnr(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.pixels.size(); ++k)
    sum += std::pow((double(a.pixels[k]) - b.pixels[k]) / 255, 2);
  return -10 * std::log10(std::max(sum / double(a.pixels.size()), 1e-12));
}

TEST(Invert, LeadsBackToThePictures) {
  const auto model = read_model(DIFFUSION_SOURCE_DIR "/models/fashion-mnist");
  const std::vector<Image> pictures = generate(*model, f32_device(), {.count = 2, .seed = 3});
  const auto back = [&](const Sampler& sampler, int steps) {
    GenerateOptions sampling{.count = 2, .without_class = true};
    sampling.recipe = with_sampler(scheduler_recipe(*model), sampler, *model);
    sampling.recipe->steps = steps;
    sampling.noise = invert(*model, f32_device(), pictures, sampling);
    const std::vector<Image> again = generate(*model, f32_device(), sampling);
    return (psnr(again[0], pictures[0]) + psnr(again[1], pictures[1])) / 2;
  };
  const double few = back(Heun{}, 10), more = back(Heun{}, 20);
  EXPECT_GT(few, 12);
  EXPECT_GT(more, 20);
  EXPECT_GT(more, few + 3);
  EXPECT_GT(back(Ddim{}, 20), 12);
  EXPECT_THROW(invert(*model, f32_device(), pictures, {.recipe = default_recipe(*model)}), Error);
  EXPECT_THROW(invert(*model, f32_device(), {}, {}), Error);
}

TEST(Restore, ImageIsTheSameBytesAloneAndInAnyBatch) {
  const LinearOperator a = shrink_operator({1, kSmallPictureSide, kSmallPictureSide}, 2);
  std::vector<double> y(3 * a.output_size());
  fill_normal({1, Stream::shapes, 0, 0}, y);
  for (const RestoreMethod method :
       {RestoreMethod::ddrm, RestoreMethod::ddnm, RestoreMethod::dps, RestoreMethod::pigdm}) {
    RestoreOptions options{.sampling = sampling_of(4), .method = method, .sigma = 0.1};
    options.sampling.recipe->guidance.scale = 1.5;
    options.sampling.label = 1;
    const std::vector<Image> all = restore(tiny_model(), f32_device(), a, y, options);
    options.sampling.batch = 3;
    EXPECT_EQ(restore(tiny_model(), f32_device(), a, y, options), all) << to_string(method);
    options.sampling.first = 2;
    options.sampling.count = 1;
    EXPECT_EQ(restore(tiny_model(), f32_device(), a, y, options)[0], all[2]) << to_string(method);
  }
}

TEST(Restore, RefusesWhatCannotBe) {
  const LinearOperator a = shrink_operator({1, kSmallPictureSide, kSmallPictureSide}, 2);
  const std::vector<double> y(a.output_size());
  RestoreOptions options{.sampling = sampling_of(1)};
  EXPECT_THROW(restore(tiny_model(), f32_device(), a, std::span(y).first(3), options), Error);
  std::vector<double> wrong = y;
  wrong[3] = std::nan("");
  EXPECT_THROW(restore(tiny_model(), f32_device(), a, wrong, options), Error);
  options.sigma = -1;
  EXPECT_THROW(restore(tiny_model(), f32_device(), a, y, options), Error);
  options.sigma = 0;
  EXPECT_THROW(restore(tiny_model(), f32_device(), identity_operator({1, 4, 4}), y, options), Error);
  EXPECT_THROW(parse_restore_method("dip"), Error);
}

}  // namespace
}  // namespace diffusion
