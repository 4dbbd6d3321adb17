#include "train/presets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <diffusion/error.h>
#include "data/dataset_table.h"
#include "data/load_path.h"

namespace diffusion {

namespace {

// One residual block a level, attention at the lowest alone, where it is cheap, and Muon. docs/recipe.md has
// the experiments.
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

// Windows of series, 12 days of 24 hours: attention at 6x12, and 64 channels at most.
void series(TrainConfig& c) {
  recipe(c, {32, 64});
  c.data.clear();
  c.batch = 64;
  c.conditional = false;
  c.clip_samples = false;
  c.learning_rate = 4e-3;
}

// 64x64 pictures of sound: as folder_64, at a quarter of its cost, because there are few clips. An hour on
// two cores shows each of 2,700 a hundred times.
void sound_64(TrainConfig& c) {
  recipe(c, {16, 32, 64, 128});
  c.data.clear();
  c.batch = 64;
  c.slices = 4;
  c.learning_rate = 4e-3;
}

// 64x64 pictures with captions. Words meet pictures at 16x16 and 8x8, where attention is cheap.
void words_64(TrainConfig& c) {
  WordsConfig words;
  words.text_encoder = {.hidden_size = 128,
                        .intermediate_size = 512,
                        .num_hidden_layers = 3,
                        .num_attention_heads = 4,
                        .max_position_embeddings = 24};
  ConditionalUNetConfig& unet = words.unet;
  unet.block_out_channels = {32, 64, 128, 128};
  unet.down_block_attention = {false, false, true, true};
  unet.up_block_attention = {true, true, false, false};
  unet.layers_per_block = {1, 1, 1, 1};
  unet.heads = {1, 2, 4, 4};
  unet.cross_attention_dim.assign(4, words.text_encoder.hidden_size);
  unet.norm_num_groups = 8;
  unet.class_embed_type = ConditionalUNetConfig::ClassEmbedding::projection;
  unet.class_is_mean_of_words = true;
  unet.projection_class_embeddings_input_dim = words.text_encoder.hidden_size;
  c.network = words;
  c.data.clear();
  c.form.size = {64, 64};
  c.batch = 64;
  c.slices = 4;
  c.optimizer = OptimizerKind::muon;
  c.learning_rate = 4e-3;
  c.ema_exponent = 16.97;  // relative width 0.05
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

// What the two annotated tutorials share: no EMA, no clipping of anything, 200 timesteps that do not end in
// noise.
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

// The same, mended: betas scaled by 1000 / T so that the process ends in noise, an average of the weights,
// limited gradients and estimates, no mirrored shoes, and the first level's output used.
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

constexpr std::array<Preset, 13> kPresets{{
    {"fashion-mnist", "28x28 gray images in minutes", fashion_mnist},
    {"fashion-mnist-unconditional", "the same without the labels", fashion_mnist_unconditional},
    {"mnist", "the same for MNIST", mnist},
    {"cifar10", "32x32 color images in hours", cifar10, {32, 32}, 3},
    {"folder-64", "images of a folder, scaled to 64x64", folder_64, {64, 64}, 3},
    {"words-64", "pictures with captions, scaled to 64x64: made from words", words_64, {64, 64}, 3},
    {"sound-64", "sound (--audio): 64x64 pictures of about a second", sound_64, {64, 64}, 1},
    {"series", "forecasts of series (--series)", series, {12, 24}, 1},
    {"base64", "the 6.5 M network of the benchmarks", base64},
    {"tiny", "a few thousand parameters, for trying things out", tiny},
    {"tutorial", "the DDPM tutorial as it is: ConvNeXt U-Net, T = 200, 10 epochs", tutorial},
    {"tutorial-fixed", "the same with its defects mended", tutorial_fixed},
    {"annotated", "the settings of the older Annotated Diffusion: batch 128, rate 1e-3, 5 epochs", annotated},
}};

}  // namespace

std::span<const Preset> presets() {
  return kPresets;
}

std::string_view preset_for_data(const std::string& data, const std::optional<std::array<int, 2>>& size) {
  if (find_sound_set(data)) return "sound-64";
  if (data.empty() || find_dataset(data)) return preset_for(data);
  return preset_for(size ? *size : first_image_size(data));
}

std::string_view preset_for(std::string_view data) {
  for (const Preset& preset : kPresets)
    if (!data.empty() && preset_config(preset.name).data == data) return preset.name;
  return kPresets.front().name;
}

std::string_view preset_for(std::array<int, 2> size) {
  constexpr int kSmall = 48;  // three levels end with 12x12 pixels, where attention still is cheap
  return std::max(size[0], size[1]) <= kSmall ? kPresets.front().name : "folder-64";
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

void fit_slices_to_batch(TrainConfig& c) {
  if (c.accumulate > 0) c.slices = std::gcd(c.slices, c.batch / c.accumulate);
}

}  // namespace diffusion
