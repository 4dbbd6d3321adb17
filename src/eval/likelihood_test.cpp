#include "eval/likelihood.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "base/rng.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

constexpr double kLevelWidth = 2 / 255.0;

UNetConfig config(int classes) {
  UNetConfig c;
  c.sample_size = {8, 8};
  c.in_channels = c.out_channels = 1;
  c.block_out_channels = {16};
  c.down_block_attention = c.up_block_attention = {true};
  c.layers_per_block = 1;
  c.norm_num_groups = 4;
  c.attention_head_dim = 8;
  if (classes > 0) c.class_embed_type = ClassEmbedding::table;
  c.num_class_embeds = classes;
  return c;
}

Model model_of(const NetworkConfig& network, const Preconditioner& preconditioner) {
  Model model{network, preconditioner, {}, {}, {}, ParamStore(layout_of(network))};
  model.params.initialize(3);
  return model;
}

// A network that says 0.
Model silent(const Preconditioner& preconditioner) {
  Model model = model_of(config(0), preconditioner);
  std::ranges::fill(model.params.values(), 0.f);
  model.params.mark_changed();
  return model;
}

Dataset gray_images(int count, int low = 0, int high = 256) {
  Dataset data{"gray", 8, 8, 1, {}, {}, {}};
  std::vector<std::uint8_t> pixels(std::size_t(count) * 64);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = std::uint8_t(
        low + int(uniform_below({8, Stream::init, 0, 0}, std::uint32_t(high - low), std::uint32_t(i))));
  data.pixels = std::move(pixels);
  return data;
}

// Bits per number of the data under N(0, variance) with uniform noise added.
double normal_bits(const Dataset& data, double variance) {
  double squares = 0;
  for (int k = 0; k < data.count(); ++k)
    for (const std::uint8_t v : data.image(k)) squares += std::pow(v / 127.5 - 1, 2);
  squares = squares / data.count() / 64 + kLevelWidth * kLevelWidth / 12;
  const double nats = std::log(2 * std::numbers::pi * variance) / 2 + squares / (2 * variance);
  return nats / std::numbers::ln2 - std::log2(kLevelWidth);
}

const std::shared_ptr<const Device>& device() {
  static const auto cpu = make_cpu_device(Precision::f32);
  return cpu;
}

// Where F is 0, D is a multiple of x, so the solution of the ODE is known, and the density is a normal one.
TEST(Likelihood, OdeOfSilentNetworks) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 1000);
  const Dataset data = gray_images(6, 128, 256);
  const NoiseSchedule short_schedule = make_schedule(ScheduleKind::linear, 100);
  const double low = kRoundingStd, not_high = short_schedule.sigmas.back();
  struct Case {
    Preconditioner preconditioner;
    double variance;
  };
  const EdmProcess edm{.sigma_data = 0.6};
  const double edm_low = 0.36 + low * low, edm_high = 0.36 + 80 * 80;
  for (const auto& [preconditioner, variance] :
       {Case{{Objective::epsilon, short_schedule}, 1 + not_high * not_high},  // D = x: nothing moves
        Case{{Objective::v, schedule}, 1 + low * low},                        // D of data N(0, 1)
        Case{Preconditioner(edm), 80 * 80 * edm_low / edm_high},              // D of data N(0, 0.6^2)
        Case{Preconditioner(RectifiedFlow{}), (1 + low) * (1 + low)}}) {      // x grows as 1 + sigma
    Model model = silent(preconditioner);
    const BitsPerDimension bits = bits_per_dimension(model, data, *device(), {.terms = 1, .ode_steps = 32});
    const double expected = normal_bits(data, variance);
    EXPECT_NEAR(bits.ode.value, expected, 1e-4 * expected) << to_string(preconditioner.objective());
    EXPECT_EQ(bits.bound.has_value(), preconditioner.schedule() != nullptr);
    EXPECT_EQ(bits.images, 6);
    EXPECT_FALSE(bits.given_class);
  }
}

TEST(Likelihood, ShiftedDataAreLessLikely) {
  Model model = silent({Objective::v, make_schedule(ScheduleKind::cosine, 100)});
  const LikelihoodOptions options{.terms = 20, .ode_steps = 8};
  const BitsPerDimension dark = bits_per_dimension(model, gray_images(6, 100, 156), *device(), options),
                         bright = bits_per_dimension(model, gray_images(6, 200, 256), *device(), options);
  EXPECT_GT(bright.ode.value, dark.ode.value + 0.2);
  EXPECT_GT(bright.bound->total.value, dark.bound->total.value + 0.2);
}

// D = x / (1 + sigma^2) is the best one for data N(0, 1), and for any data (x_0 - D)^2 is known.
TEST(Likelihood, BoundOfASilentNetwork) {
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 40, 2e-3, 0.4);
  Model model = silent({Objective::v, schedule});
  const Dataset data = gray_images(60);
  const BitsPerDimension bits = bits_per_dimension(model, data, *device(), {.terms = 39, .ode_steps = 1});
  double squares = 0;
  for (int k = 0; k < data.count(); ++k)
    for (const std::uint8_t v : data.image(k)) squares += std::pow(v / 127.5 - 1, 2) / (64. * data.count());
  double posterior = 0, beta = 0;  // nats, by the means and variances of the VP form
  for (int t = 1; t < 40; ++t) {
    const double a = schedule.alpha_cumprod(t), before = schedule.alpha_cumprod(t - 1), b = schedule.beta(t);
    const double error = (1 - a) * (1 - a) * squares + a * (1 - a);
    const double mean_error = before * b * b / ((1 - a) * (1 - a)) * error,
                 small = b * (1 - before) / (1 - a);
    posterior += mean_error / (2 * small);
    beta += (std::log(b / small) + small / b - 1 + mean_error / b) / 2;
  }
  const double steps = std::min(posterior, beta) / std::numbers::ln2;
  ASSERT_TRUE(bits.bound);
  EXPECT_EQ(bits.bound->steps_variance, beta < posterior ? DdpmVariance::beta : DdpmVariance::posterior);
  EXPECT_NEAR(bits.bound->steps, steps, 0.01 * steps);
  EXPECT_NEAR(bits.bound->total.value, bits.bound->prior + bits.bound->steps + bits.bound->decoder, 1e-12);
}

TEST(Likelihood, TheSameInAnyBatchAndAnotherWithAnotherSeed) {
  Model model = model_of(config(0), {Objective::v, make_schedule(ScheduleKind::cosine, 50)});
  const Dataset data = gray_images(5);
  double share = 0;
  bool ascends = true;
  const auto bits = [&](int batch, std::uint64_t seed) {
    share = 0;
    return bits_per_dimension(model, data, *device(),
                              {.terms = 6, .ode_steps = 4, .batch = batch, .seed = seed}, [&](double s) {
                                ascends = ascends && s > share;
                                share = s;
                              });
  };
  const BitsPerDimension one = bits(1, 0), two = bits(2, 0), all = bits(100, 0), other = bits(2, 1);
  EXPECT_NEAR(one.ode.value, all.ode.value, 1e-5);
  EXPECT_NEAR(two.ode.value, all.ode.value, 1e-5);
  EXPECT_NEAR(one.bound->total.value, all.bound->total.value, 1e-5);
  EXPECT_NEAR(two.bound->total.standard_error, all.bound->total.standard_error, 1e-5);
  EXPECT_GT(std::abs(other.ode.value - all.ode.value), 1e-4);
  EXPECT_GT(std::abs(other.bound->total.value - all.bound->total.value), 1e-4);
  EXPECT_TRUE(ascends);
  EXPECT_NEAR(share, 1, 1e-12);
}

TEST(Likelihood, ClipsTheBoundIfTheModelSaysSo) {
  Model model = model_of(config(0), {Objective::epsilon, make_schedule(ScheduleKind::cosine, 50)});
  const Dataset data = gray_images(5);
  const LikelihoodOptions options{.terms = 6, .ode_steps = 4};
  const BitsPerDimension as_is = bits_per_dimension(model, data, *device(), options);
  model.sampling.limit.kind = EstimateLimit::Kind::clip;
  const BitsPerDimension clipped = bits_per_dimension(model, data, *device(), options);
  EXPECT_LT(clipped.bound->total.value, as_is.bound->total.value);
  EXPECT_EQ(clipped.ode.value, as_is.ode.value);
}

TEST(Likelihood, UsesLabelsThatAreTheModels) {
  Model model = model_of(config(4), {Objective::v, make_schedule(ScheduleKind::cosine, 50)});
  model.class_names = {"a", "b", "c"};
  model.null_class = 3;
  for (const ParamLayout::Entry& e : model.params.layout().entries())
    if (e.name == "class_embedding.weight")
      for (float& v : model.params.values(e)) v *= 10;
  model.params.mark_changed();
  const LikelihoodOptions options{.terms = 4, .ode_steps = 3};
  Dataset data = gray_images(6);
  const BitsPerDimension unlabeled = bits_per_dimension(model, data, *device(), options);
  data.labels = {0, 1, 2, 0, 1, 2};
  data.class_names = {"x", "y", "z"};
  const BitsPerDimension foreign = bits_per_dimension(model, data, *device(), options);
  data.class_names = model.class_names;
  const BitsPerDimension given = bits_per_dimension(model, data, *device(), options);
  data.labels = {1, 1, 1, 1, 1, 1};
  const BitsPerDimension wrong = bits_per_dimension(model, data, *device(), options);
  EXPECT_FALSE(unlabeled.given_class);
  EXPECT_FALSE(foreign.given_class);
  EXPECT_TRUE(given.given_class);
  EXPECT_EQ(foreign.ode.value, unlabeled.ode.value);
  EXPECT_NE(given.ode.value, unlabeled.ode.value);
  EXPECT_NE(given.ode.value, wrong.ode.value);
  EXPECT_NE(given.bound->total.value, wrong.bound->total.value);

  model.null_class.reset();
  model.class_names = {"a", "b", "c", "d"};
  const std::string message =
      scratch::error_of(ErrorKind::usage, [&] { bits_per_dimension(model, data, *device(), options); });
  EXPECT_NE(message.find("gray"), std::string::npos);
  EXPECT_NE(message.find("null class"), std::string::npos);
}

TEST(Likelihood, Refusals) {
  Model model = silent({Objective::v, make_schedule(ScheduleKind::cosine, 50)});
  const auto refuses = [&](ErrorKind kind, const Dataset& data, const LikelihoodOptions& options,
                           const char* word) {
    const std::string message =
        scratch::error_of(kind, [&] { bits_per_dimension(model, data, *device(), options); });
    EXPECT_NE(message.find(word), std::string::npos) << message;
  };
  refuses(ErrorKind::usage, gray_images(1), {}, "2 images");
  refuses(ErrorKind::usage, gray_images(2), {.batch = 0}, "batch");
  refuses(ErrorKind::usage, gray_images(2), {.terms = 0}, "terms");
  refuses(ErrorKind::usage, gray_images(2), {.ode_steps = 0}, "steps");
  Dataset wide = gray_images(4);
  wide.width = 16;
  refuses(ErrorKind::usage, wide, {}, "8 x 16 x 1");
  Dataset color = gray_images(6);
  color.channels = 3;
  refuses(ErrorKind::usage, color, {}, "8 x 8 x 3");
  std::ranges::fill(model.params.values(), std::numeric_limits<float>::quiet_NaN());
  model.params.mark_changed();
  refuses(ErrorKind::non_finite, gray_images(2), {.terms = 1, .ode_steps = 1}, "NaN");
}

}  // namespace
}  // namespace diffusion
