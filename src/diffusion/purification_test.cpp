#include "diffusion/purification.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "base/rng.h"
#include "device/device.h"
#include "diffusion/model.h"
#include "support/fixtures.h"
#include "support/small_model.h"

namespace diffusion {
namespace {

using fixtures::error_of, fixtures::small_picture;
using Use = NetworkEvaluator::Use;

constexpr std::size_t kPurifiedSize = 64;

Model small_model(bool classes) {
  return fixtures::small_model({.classes = classes ? 3 : 0, .channels = {8}, .attention = true});
}

std::vector<double> random_numbers(std::size_t count, std::uint32_t number, double scale) {
  std::vector<double> x(count);
  fill_normal({5, Stream::init, number, 0}, x);
  for (double& value : x) value *= scale;
  return x;
}

double inner(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// For data N(0, 1) every sampler is a linear function of its start, whose slope its form must tell.
TEST(LinearForm, TellsTheSlopeOfEverySampler) {
  const Model model = small_model(false);
  for (const SamplerEntry& entry : samplers()) {
    SCOPED_TRACE(entry.name);
    SamplingRecipe recipe = with_sampler(scheduler_recipe(model), entry.sampler, model);
    recipe.steps = std::min(recipe.steps, 6);
    const PreparedRecipe prepared = prepare_recipe(model, from_level(recipe, model, 0.8), 1);
    const std::vector<double>& sigmas = prepared.levels.sigmas;
    const auto keep = [](double sigma) { return 1 / (1 + sigma * sigma); };
    const auto end_of = [&](double start) {
      std::vector<double> x{start};
      run_sampler(
          prepared.sampler,
          [&](std::span<const double> state, double sigma, std::span<double> denoised) {
            denoised[0] = keep(sigma) * state[0];
          },
          sigmas, image_noise(3, 0, 1), x);
      return x[0];
    };
    const LinearForm form = linear_form(prepared.sampler, sigmas);
    std::vector<double> terms{1};  // of the start and of every D
    for (std::size_t j = 0; j < form.x.size(); ++j)
      terms.push_back(keep(form.sigmas[j]) * inner(form.x[j], std::span(terms).first(j + 1)));
    EXPECT_NEAR(inner(form.result, terms), end_of(1.5) - end_of(0.5), 1e-12);
  }
}

TEST(LinearForm, RefusesALimitInsideOfTheSampler) {
  const std::vector<double> sigmas{1, 0.5, 0};
  Ddim ddim;
  ddim.limit = [](std::span<double>) {};
  EXPECT_EQ(error_of([&] { linear_form(ddim, sigmas); }).kind(), ErrorKind::usage);
}

// Against central differences of fourth order, computed in f64.
TEST(Purification, ItsDerivativeIsThatOfDifferences) {
  const auto device = make_reference_device();
  struct Case {
    const char* sampler;
    int steps;
    bool classes;
    double guidance;
  };
  for (const auto& [sampler, steps, classes, guidance] :
       {Case{"ddpm", 3, false, 1}, Case{"ddpm", 1, false, 1}, Case{"heun", 2, false, 1},
        Case{"dpmpp_2m", 4, false, 1}, Case{"ddpm", 2, true, 1}, Case{"ddim", 2, true, 1.5}}) {
    SCOPED_TRACE(std::string(sampler) + " " + std::to_string(steps));
    const Model model = small_model(classes);
    SamplingRecipe recipe = with_sampler(scheduler_recipe(model), find_sampler(sampler), model);
    recipe.steps = steps;
    recipe.limit = {};  // a limit has corners
    recipe.guidance.scale = guidance;
    PurifyOptions options{{.recipe = recipe, .count = 2, .batch = 2}, 0.5};
    if (guidance != 1) options.sampling.label = 1;
    Purification purification(model, *device, options, Use::products);
    const std::vector<int> numbers{4, 9};
    const std::vector<double> x = random_numbers(2 * kPurifiedSize, 1, 0.5),
                              probe = random_numbers(x.size(), 2, 1),
                              direction = random_numbers(x.size(), 3, 1);
    std::vector<double> clean(x.size()), product(x.size());
    double by_difference = 0;
    constexpr double kStep = 0.01;
    for (const auto& [places, weight] :
         {std::pair{-2, 1.0 / 12}, {-1, -2.0 / 3}, {1, 2.0 / 3}, {2, -1.0 / 12}}) {
      std::vector<double> moved = x;
      for (std::size_t i = 0; i < x.size(); ++i) moved[i] += places * kStep * direction[i];
      purification.run(moved, numbers, 7, clean);
      by_difference += weight * inner(probe, clean) / kStep;
    }
    purification.run(x, numbers, 7, clean);
    purification.product(probe, product);
    EXPECT_NEAR(inner(product, direction), by_difference, 5e-4 * (1 + std::abs(by_difference)));
  }
}

TEST(Purify, AnImageIsTheSameInAnyBatch) {
  const Model model = small_model(true);
  const auto device = make_cpu_device(Precision::f32);
  const std::vector<Image> pictures{small_picture(1), small_picture(2)};
  const auto purified = [&](const GenerateOptions& sampling, double level) {
    return purify(model, *device, pictures, {sampling, level});
  };
  const std::vector<Image> all = purified({.count = 5, .seed = 2, .batch = 2}, 0.3);
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(purified({.count = 5, .seed = 2, .batch = 5}, 0.3), all);
  EXPECT_EQ(purified({.count = 2, .first = 3, .seed = 2}, 0.3), (std::vector<Image>{all[3], all[4]}));
  EXPECT_NE(all[0], all[2]) << "other noise";
  EXPECT_NE(all[0], pictures[0]);
  EXPECT_NE(purified({.count = 5, .seed = 3}, 0.3), all);
  EXPECT_NE(purified({.count = 5, .seed = 2}, 0.4), all);
  EXPECT_NE(purified({.count = 5, .seed = 2, .label = 1}, 0.3), all);
}

// At a low level a picture stays nearly what it is, whatever the network says.
TEST(Purify, ALowLevelKeepsThePicture) {
  const Model model = small_model(false);
  const std::vector<Image> pictures{small_picture(1)};
  const Image clean = purify(model, *make_cpu_device(Precision::f32), pictures, {{.count = 1}, 0.01})[0];
  for (std::size_t k = 0; k < clean.pixels.size(); ++k)
    EXPECT_NEAR(double(clean.pixels[k]), double(pictures[0].pixels[k]), 12);
}

TEST(Purify, Refusals) {
  Model model = small_model(true);
  const auto device = make_cpu_device(Precision::f32);
  const std::vector<Image> pictures{small_picture(1)};
  const auto refused = [&](const PurifyOptions& options, const std::string& word) {
    const Error error = error_of([&] { purify(model, *device, pictures, options); });
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  };
  for (const double level :
       {0.0, -1.0, 1e9, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    refused({{.count = 1}, level}, "accepted are those of the model");
  refused({{.count = 0}, 0.3}, "1 or more");
  refused({{.count = 1, .noise = std::vector<float>(64)}, 0.3}, "seed");
  model.null_class = std::nullopt;
  refused({{.count = 1}, 0.3}, "give a label");
  const std::vector<Image> large{Image{9, 8, 1, std::vector<std::uint8_t>(72)}};
  EXPECT_EQ(error_of([&] {
              purify(model, *device, large, {{.count = 1, .label = 0}, 0.3});
            }).kind(),
            ErrorKind::usage);
}

}  // namespace
}  // namespace diffusion
