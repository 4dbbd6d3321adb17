#include "train/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

#include "base/error.h"

namespace diffusion {

namespace {

// One residual block a level, attention at the lowest alone, where it is cheap, and Muon. docs/recipe.md has the experiments.
void recipe(TrainConfig& c, std::vector<int> channels) {
  UNetConfig unet;
  const std::size_t levels = channels.size();
  unet.block_out_channels = std::move(channels);
  unet.down_block_attention.assign(levels, false);
  unet.up_block_attention.assign(levels, false);
  unet.down_block_attention.back() = unet.up_block_attention.front() = true;
  unet.layers_per_block = 1;
  unet.norm_num_groups = 8;
  unet.attention_head_dim = 32;
  c.network = unet;
  c.batch = 128;
  c.optimizer = OptimizerKind::muon;
  c.learning_rate = 5e-3;
  c.ema_exponent = 16.97;  // relative width 0.05
}

// 28x28 gray: most of the work at 14x14 and 7x7.
void fashion_mnist(TrainConfig& c) {
  recipe(c, {32, 64, 128});
}

void fashion_mnist_unconditional(TrainConfig& c) {
  fashion_mnist(c);
  c.conditional = false;
}

void mnist(TrainConfig& c) {
  fashion_mnist(c);
  c.data = "mnist";
}

// 32x32 in color, and more to learn than clothes: wider.
void cifar10(TrainConfig& c) {
  recipe(c, {48, 96, 192});
  c.data = "cifar10";
  c.flip = true;
}

void folder_64(TrainConfig& c) {
  recipe(c, {32, 64, 128, 192});
  c.data.clear();
  c.form.size = {64, 64};
  c.batch = 64;
  c.learning_rate = 4e-3;
}

// The reference network of the benchmarks: 6.5 million parameters.
void base64(TrainConfig& c) {
  UNetConfig unet;
  unet.block_out_channels = {64, 128, 128};
  unet.down_block_attention = {false, true, false};
  unet.up_block_attention = {false, true, false};
  unet.layers_per_block = 2;
  unet.norm_num_groups = 8;
  unet.attention_head_dim = 32;
  c.network = unet;
  c.learning_rate = 5e-4;
}

// Seconds, not minutes: to see that everything works.
void tiny(TrainConfig& c) {
  UNetConfig unet;
  unet.block_out_channels = {16, 32};
  unet.down_block_attention = {false, false};
  unet.up_block_attention = {false, false};
  unet.layers_per_block = 1;
  unet.norm_num_groups = 4;
  unet.add_attention = false;
  c.network = unet;
  c.batch = 32;
}

// What the two annotated tutorials share: no EMA, no clipping of anything, 200 timesteps that do not end in noise.
void annotated_recipe(TrainConfig& c) {
  c.network = ConvNextConfig{};
  c.objective = Objective::epsilon;
  c.schedule = ScheduleKind::linear;
  c.timesteps = 200;
  c.loss = LossKind::huber;
  c.beta2 = 0.999;
  c.clip = 0;
  c.ema_exponent.reset();
  c.clip_samples = false;
  c.flip = true;
  c.conditional = false;
  c.previews = {.images = 64, .columns = 8, .sampler = "ddpm", .steps = 200};
}

// The MindSpore tutorial, defects included (docs/tutorial.md).
void tutorial(TrainConfig& c) {
  annotated_recipe(c);
  c.batch = 16;
  c.learning_rate = 1e-4;
  c.rate = RateShape::staircase_cosine;
  c.min_learning_rate = 1e-7;
  c.weighting = {.kind = WeightingKind::p2, .p2_k = 1, .p2_gamma = 0};
  c.budget.epochs = 10;
  c.previews.each_epoch = true;
  c.report_every = 500;
}

// The same, mended: betas scaled by 1000 / T so that the process ends in noise, an average of the weights, limited
// gradients and estimates, no mirrored shoes, and the first level's output used.
void tutorial_fixed(TrainConfig& c) {
  tutorial(c);
  std::get<ConvNextConfig>(c.network).first_skip = true;
  c.beta_start *= 5;
  c.beta_end *= 5;
  c.ema_exponent = 6.94;
  c.clip = 1;
  c.clip_samples = true;
  c.flip = false;
}

// The Hugging Face tutorial that it descends from.
void annotated(TrainConfig& c) {
  annotated_recipe(c);
  std::get<ConvNextConfig>(c.network).activation = Activation::gelu;
  c.batch = 128;
  c.learning_rate = 1e-3;
  c.rate = RateShape::constant;
  c.budget.epochs = 5;
  c.preview_every = 1000;
  c.previews.images = 36;
  c.previews.columns = 6;
  c.report_every = 100;
}

constexpr std::array<Preset, 10> kPresets{{
    {"fashion-mnist", "28x28 gray images in minutes", fashion_mnist},
    {"fashion-mnist-unconditional", "the same without the labels", fashion_mnist_unconditional},
    {"mnist", "the same for MNIST", mnist},
    {"cifar10", "32x32 color images in hours", cifar10},
    {"folder-64", "images of a folder, scaled to 64x64", folder_64},
    {"base64", "the 6.5 M network of the benchmarks", base64},
    {"tiny", "a few thousand parameters, for trying things out", tiny},
    {"tutorial", "the DDPM tutorial as it is: ConvNeXt U-Net, T = 200, 10 epochs", tutorial},
    {"tutorial-fixed", "the same with its defects mended", tutorial_fixed},
    {"annotated", "the settings of the older Annotated Diffusion: batch 128, rate 1e-3, 5 epochs", annotated},
}};

void require(bool holds, std::string_view option, double found, std::string_view accepted) {
  if (!holds) throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is {}", option, found, accepted));
}

}  // namespace

std::string_view to_string(RateShape shape) {
  switch (shape) {
    case RateShape::warmup_cosine:
      return "warmup_cosine";
    case RateShape::constant:
      return "constant";
    case RateShape::staircase_cosine:
      return "staircase_cosine";
  }
  return "?";
}

std::span<const Preset> presets() {
  return kPresets;
}

std::string_view preset_for(std::string_view data) {
  for (const Preset& preset : kPresets)
    if (!data.empty() && preset_config(preset.name).data == data) return preset.name;
  return kPresets.front().name;
}

TrainConfig preset_config(std::string_view name) {
  std::string names;
  for (const Preset& preset : kPresets) {
    if (preset.name == name) {
      TrainConfig config;
      config.preset = name;
      preset.apply(config);
      return config;
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", preset.name);
  }
  throw Error(ErrorKind::usage, fmt::format("unknown preset \"{}\"; accepted are: {}", name, names));
}

Json to_json(const TrainConfig& c) {
  Json::Object object{
      {"preset", c.preset},
      {"data", c.data},
      {"size", c.form.size ? Json(Json::Array{(*c.form.size)[0], (*c.form.size)[1]}) : Json(nullptr)},
      {"channels", c.form.channels ? Json(*c.form.channels) : Json(nullptr)},
      {"background", fmt::format("{:02x}", fmt::join(c.form.background, ""))},
      {"random_crop", c.form.random_crop},
      {"shards", c.shards},
      {"shard", c.shard},
      {"network", to_json(c.network)},
      {"objective", to_string(c.objective)},
      {"schedule", to_string(c.schedule)},
      {"timesteps", c.timesteps},
      {"beta_start", c.beta_start},
      {"beta_end", c.beta_end},
      {"sigma_data", c.edm.sigma_data},
      {"loss", to_string(c.loss)},
      {"weight", to_string(c.weighting.kind)},
      {"p2_k", c.weighting.p2_k},
      {"p2_gamma", c.weighting.p2_gamma},
      {"min_snr_gamma", c.weighting.min_snr_gamma},
      {"batch", c.batch},
      {"accumulate", c.accumulate},
      {"precision", std::string(to_string(c.precision))},
      {"seed", std::int64_t(c.seed)},
      {"optimizer", to_string(c.optimizer)},
      {"learning_rate", c.learning_rate},
      {"rate", to_string(c.rate)},
      {"warmup", c.warmup},
      {"min_learning_rate", c.min_learning_rate},
      {"rate_epochs", c.rate_epochs},
      {"beta1", c.beta1},
      {"beta2", c.beta2},
      {"weight_decay", c.weight_decay},
      {"clip", c.clip},
      {"ema_exponent", c.ema_exponent ? Json(*c.ema_exponent) : Json(nullptr)},
      {"flip", c.flip},
      {"drop_last", c.drop_last},
      {"conditional", c.conditional},
      {"label_dropout", c.label_dropout},
      {"clip_samples", c.clip_samples},
  };
  if (c.consistency) {  // absent otherwise, as in the runs of older versions
    for (const char* unused : {"loss", "weight", "p2_k", "p2_gamma", "min_snr_gamma"}) object.erase(unused);
    object["consistency"] = to_json(*c.consistency);
  }
  return object;
}

void validate(const TrainConfig& c) {
  require(c.batch >= 1, "--batch", c.batch, "1 or more");
  require(c.accumulate >= 1 && c.batch % c.accumulate == 0, "--accumulate", c.accumulate,
          fmt::format("a divisor of the batch, {}", c.batch));
  require(std::isfinite(c.learning_rate) && c.learning_rate > 0, "--lr", c.learning_rate,
          "a positive number");
  require(c.warmup >= 0 && c.warmup < 1, "--warmup", c.warmup, "a share of the run in [0, 1)");
  require(c.weight_decay >= 0 && std::isfinite(c.weight_decay), "--weight-decay", c.weight_decay,
          "0 or more");
  require(c.clip >= 0, "--clip", c.clip, "0 (no limit) or more");
  require(c.label_dropout >= 0 && c.label_dropout <= 1, "--label-dropout", c.label_dropout,
          "a share in [0, 1]");
  require(c.seed <= std::uint64_t(std::numeric_limits<std::int64_t>::max()), "--seed", double(c.seed),
          "0 to 9223372036854775807");
  require(c.keep >= 1, "--keep", c.keep, "1 or more");
  const int budgets = c.budget.minutes.has_value() + c.budget.steps.has_value() + c.budget.epochs.has_value();
  if (budgets != 1) throw Error(ErrorKind::usage, "give exactly one of --minutes, --steps and --epochs");
  if (c.budget.minutes)
    require(std::isfinite(*c.budget.minutes) && *c.budget.minutes > 0, "--minutes", *c.budget.minutes,
            "a positive number");
  if (c.budget.steps)
    require(*c.budget.steps > 0 && *c.budget.steps < 1'000'000'000, "--steps", double(*c.budget.steps),
            "1 to 999999999");
  if (c.budget.epochs)
    require(std::isfinite(*c.budget.epochs) && *c.budget.epochs > 0, "--epochs", *c.budget.epochs,
            "a positive number");
  require(c.report_every >= 0, "--report-every", double(c.report_every), "0 (never) or more");
  if (c.save_every) require(*c.save_every >= 1, "--save-every", double(*c.save_every), "1 or more");
  if (c.preview_every)
    require(*c.preview_every >= 0, "--preview-every", double(*c.preview_every), "0 (never) or more");
  if (c.held_out_every)
    require(*c.held_out_every >= 0, "--held-out-every", double(*c.held_out_every), "0 (never) or more");
  if (c.consistency) validate(*c.consistency);
  validate(c.network);
}

Preconditioner make_preconditioner(const TrainConfig& c) {
  if (c.objective == Objective::edm) return Preconditioner(c.edm);
  if (c.objective == Objective::flow)
    return Preconditioner(FlowParameters{c.timesteps, c.flow.logit_mean, c.flow.logit_std});
  return {c.objective, make_schedule(c.schedule, c.timesteps, c.beta_start, c.beta_end)};
}

double learning_rate_factor(double warmup, double progress) {
  if (progress < warmup) return progress / warmup;
  return 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, (progress - warmup) / (1 - warmup))));
}

double staircase_cosine(double lowest, double highest, int epochs, std::uint64_t epoch) {
  const double share = std::min(double(epoch), double(epochs)) / double(epochs);
  return lowest + (highest - lowest) * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

double ema_decay(double exponent, std::int64_t step) {
  return std::pow(1 - 1 / double(step), exponent + 1);
}

}  // namespace diffusion
