#include "diffusion/image_sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>

#include <diffusion/device.h>
#include <diffusion/generate.h>
#include "base/rng.h"
#include "device/cpu/cpu_device.h"
#include "diffusion/model.h"
#include "train/presets.h"

namespace diffusion {
namespace {

constexpr int kSmallSide = 12;  // small images, but the channel counts and so the kernels of real models
constexpr std::size_t kSmallImage = kSmallSide * kSmallSide;

Model small_random_model() {
  UNetConfig unet = std::get<UNetConfig>(preset_config("fashion-mnist").network);
  unet.sample_size = {kSmallSide, kSmallSide};
  unet.in_channels = unet.out_channels = 1;
  unet.class_embed_type = ClassEmbedding::table;
  unet.num_class_embeds = 11;
  Model model{unet, Preconditioner(Objective::v, make_schedule(ScheduleKind::cosine, 1000)),
              {},   10,
              {},   ParamStore(layout_of(unet))};
  model.params.initialize(1);
  return model;
}

// What somebody asks for: `count` images, each a sampling of its own here.
struct Request {
  GenerateOptions options;
  PreparedRecipe prepared;
};

// Every sampler twice, with other steps, seeds, labels and guidance.
std::vector<Request> requests(const Model& model, int images_of_each) {
  std::vector<Request> all;
  for (std::uint32_t round = 0; round < 2; ++round)
    for (const SamplerEntry& entry : samplers()) {
      const auto number = std::uint32_t(all.size());
      const auto any = [&](std::uint32_t bound) {
        return int(uniform_below({5, Stream::shuffle, number, round}, bound));
      };
      GenerateOptions o;
      o.count = images_of_each;
      o.batch = 1;
      o.height = o.width = kSmallSide;
      o.seed = 100 + number % 7;
      o.first = any(50);
      if (round == 1) o.label = any(10);
      o.recipe = with_sampler(default_recipe(model), entry.sampler, model.preconditioner);
      o.recipe->steps = 1 + int(number % 4);
      if (number % 3 == 0) o.recipe->guidance = {.scale = 2, .sigma_low = 0.2, .rescale = 0.5};
      all.push_back({o, prepare_recipe(model, *o.recipe, kSmallImage)});
    }
  return all;
}

// The images of a request as generate() makes them, before rounding.
std::vector<double> alone(const Model& model, const Device& device, const Request& request) {
  std::vector<double> x;
  generate(model, device, request.options, [&](const GenerateStep& step) {
    if (step.step + 1 == step.steps) x.insert(x.end(), step.x.begin(), step.x.end());
  });
  return x;
}

struct Running {
  std::size_t request, image;
  ImageSampling sampling;
};

std::unique_ptr<Running> start(const Model& model, const std::vector<Request>& all, std::size_t request,
                               std::size_t image) {
  const GenerateOptions& o = all[request].options;
  const int index = o.first + int(image);
  std::vector<double> noise(kSmallImage);
  start_noise(o, int(image), noise, kSmallImage);
  const std::vector<int> label{o.label.value_or(index % model.class_count())}, none{*model.null_class};
  return std::make_unique<Running>(
      Running{request, image,
              ImageSampling(all[request].prepared, {o.seed, std::uint32_t(index), 1}, std::move(noise),
                            class_labels(model, label), class_labels(model, none))});
}

// A thousand samplings, whoever comes first in a random order, in evaluations of 1 to 16 rows.
void expect_the_bytes_of_each_alone(Precision precision, std::size_t images_of_each) {
  if (precision == Precision::bf16 && !multiplies_bf16())
    GTEST_SKIP() << "skipped: this CPU does not multiply bf16";
  constexpr std::size_t kMostRows = 16;
  const Model model = small_random_model();
  const auto device = make_cpu_device(precision);
  const std::vector<Request> all = requests(model, images_of_each);
  std::vector<std::unique_ptr<Running>> running;
  for (std::size_t request = 0; request < all.size(); ++request)
    for (std::size_t image = 0; image < images_of_each; ++image)
      running.push_back(start(model, all, request, image));

  std::vector<std::vector<double>> results(all.size(), std::vector<double>(images_of_each * kSmallImage));
  NetworkEvaluator evaluator(model, *device, int(kMostRows), kSmallSide, kSmallSide,
                             NetworkEvaluator::Use::values, int(kMostRows));
  Rows rows, no_guide;
  std::vector<double> denoised;
  for (std::uint32_t turn = 0; !running.empty(); ++turn) {
    // Some that are running, each once, with as many rows as they need together.
    const std::size_t wanted = 1 + uniform_below({6, Stream::shuffle, turn, 0}, std::uint32_t(kMostRows));
    std::vector<std::size_t> chosen;
    std::size_t used = 0;
    rows.clear();
    for (std::uint32_t i = 0; i < running.size(); ++i) {
      const auto at = std::size_t(permute({7, Stream::shuffle, turn, 1}, i, running.size()));
      const std::size_t needed = running[at]->sampling.asked().own;
      if (used > 0 && used + needed > wanted) break;
      running[at]->sampling.ask(rows, no_guide);
      chosen.push_back(at);
      used += needed;
    }
    ASSERT_LE(rows.count(), kMostRows);
    denoise(evaluator, rows, kMostRows, denoised);
    std::size_t first = 0;
    for (const std::size_t at : chosen) {
      ImageSampling& sampling = running[at]->sampling;
      const std::size_t numbers = sampling.asked().own * kSmallImage;
      sampling.answer(std::span(denoised).subspan(first, numbers), {});
      first += numbers;
    }
    std::ranges::sort(chosen, std::greater<>());
    for (const std::size_t at : chosen) {
      Running& r = *running[at];
      if (!r.sampling.finished()) continue;
      const double scale = model.preconditioner.picture_scale(all[r.request].prepared.levels.sigmas.back());
      std::ranges::transform(r.sampling.x(),
                             results[r.request].begin() + std::ptrdiff_t(r.image * kSmallImage),
                             [&](double value) { return value * scale; });
      std::swap(running[at], running.back());
      running.pop_back();
    }
  }
  for (std::size_t request = 0; request < all.size(); ++request)
    EXPECT_EQ(results[request], alone(model, *device, all[request]))
        << name_of(all[request].prepared.sampler) << ", request " << request;
}

// Run for every instruction set that the machine has (CMakeLists.txt), hence the name.
TEST(MixedSamplingsOnCpu, GiveTheBytesOfEachAloneInF32) {
  expect_the_bytes_of_each_alone(Precision::f32, 25);  // 1,000 samplings
}

TEST(MixedSamplingsOnCpu, GiveTheBytesOfEachAloneInBf16) {
  expect_the_bytes_of_each_alone(Precision::bf16, 5);
}

TEST(ImageSampling, CanBeDroppedBetweenEvaluations) {
  const Model model = small_random_model();
  const std::vector<Request> all = requests(model, 1);
  for (std::size_t request = 0; request < all.size(); ++request) {
    const auto running = start(model, all, request, 0);
    Rows rows, guide_rows;
    running->sampling.ask(rows, guide_rows);
    EXPECT_EQ(rows.count(), running->sampling.asked().own);
    EXPECT_EQ(guide_rows.count(), 0u);
    running->sampling.answer(std::vector<double>(rows.states.size()), {});
  }
}

}  // namespace
}  // namespace diffusion
