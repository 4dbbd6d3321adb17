#include "train/config.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"

namespace diffusion {

namespace {

// 28x28 gray: most of the work at 14x14 and 7x7, attention where it is cheap.
void small_images(TrainConfig& c) {
  c.unet.block_out_channels = {32, 64, 128};
  c.unet.down_block_attention = {false, false, true};
  c.unet.up_block_attention = {true, false, false};
  c.unet.layers_per_block = 1;
  c.unet.norm_num_groups = 8;
  c.unet.attention_head_dim = 32;
}

// The reference network of the benchmarks: 6.5 million parameters.
void base64(TrainConfig& c) {
  c.unet.block_out_channels = {64, 128, 128};
  c.unet.down_block_attention = {false, true, false};
  c.unet.up_block_attention = {false, true, false};
  c.unet.layers_per_block = 2;
  c.unet.norm_num_groups = 8;
  c.unet.attention_head_dim = 32;
  c.learning_rate = 5e-4;
}

// Seconds, not minutes: to see that everything works.
void tiny(TrainConfig& c) {
  c.unet.block_out_channels = {16, 32};
  c.unet.down_block_attention = {false, false};
  c.unet.up_block_attention = {false, false};
  c.unet.layers_per_block = 1;
  c.unet.norm_num_groups = 4;
  c.unet.add_attention = false;
  c.batch = 32;
}

constexpr std::array<Preset, 4> kPresets{{
    {"fashion-mnist", "28x28 gray images in minutes (default)", small_images},
    {"mnist", "the same for MNIST", small_images},
    {"base64", "the 6.5 M network of the benchmarks", base64},
    {"tiny", "a few thousand parameters, for trying things out", tiny},
}};

void require(bool holds, std::string_view option, double found, std::string_view accepted) {
  if (!holds) throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is {}", option, found, accepted));
}

}  // namespace

std::span<const Preset> presets() {
  return kPresets;
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
  return Json::Object{
      {"preset", c.preset},
      {"data", c.data},
      {"unet", to_json(c.unet)},
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
      {"learning_rate", c.learning_rate},
      {"warmup", c.warmup},
      {"beta1", c.beta1},
      {"beta2", c.beta2},
      {"weight_decay", c.weight_decay},
      {"clip", c.clip},
      {"ema_exponent", c.ema_exponent},
      {"flip", c.flip},
      {"conditional", c.conditional},
      {"label_dropout", c.label_dropout},
  };
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
  if (c.save_every) require(*c.save_every >= 1, "--save-every", double(*c.save_every), "1 or more");
  if (c.preview_every)
    require(*c.preview_every >= 0, "--preview-every", double(*c.preview_every), "0 (never) or more");
  validate(c.unet);
}

Preconditioner make_preconditioner(const TrainConfig& c) {
  if (c.objective == Objective::edm) return Preconditioner(c.edm);
  return {c.objective, make_schedule(c.schedule, c.timesteps, c.beta_start, c.beta_end)};
}

double learning_rate_factor(double warmup, double progress) {
  if (progress < warmup) return progress / warmup;
  return 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, (progress - warmup) / (1 - warmup))));
}

double ema_decay(double exponent, std::int64_t step) {
  return std::pow(1 - 1 / double(step), exponent + 1);
}

}  // namespace diffusion
