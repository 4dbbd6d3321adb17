#include "nn/describe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstddef>
#include <variant>
#include <vector>

namespace diffusion {

namespace {

Json::Array to_json_array(const std::vector<int>& values) {
  return {values.begin(), values.end()};
}

Json attending_blocks(const std::vector<bool>& attention, const char* plain, const char* with_attention) {
  Json::Array names;
  for (const bool attends : attention) names.emplace_back(attends ? with_attention : plain);
  return names;
}

Json::Object json_of(const UNetConfig& c) {
  return {{"block_out_channels", to_json_array(c.block_out_channels)},
          {"layers_per_block", c.layers_per_block},
          {"down_blocks", attending_blocks(c.down_block_attention, "DownBlock2D", "AttnDownBlock2D")},
          {"up_blocks", attending_blocks(c.up_block_attention, "UpBlock2D", "AttnUpBlock2D")}};
}

Json::Object json_of(const ConvNextConfig& c) {
  return {{"dim", c.dim},
          {"dim_mults", to_json_array(c.dim_mults)},
          {"heads", c.heads},
          {"head_dim", c.head_dim}};
}

Json::Object json_of(const WordsConfig& c) {
  return {
      {"block_out_channels", to_json_array(c.unet.block_out_channels)},
      {"layers_per_block", to_json_array(c.unet.layers_per_block)},
      {"down_blocks", attending_blocks(c.unet.down_block_attention, "DownBlock2D", "CrossAttnDownBlock2D")},
      {"up_blocks", attending_blocks(c.unet.up_block_attention, "UpBlock2D", "CrossAttnUpBlock2D")},
      {"text_encoder", Json::Object{{"vocab_size", c.text_encoder.vocab_size},
                                    {"hidden_size", c.text_encoder.hidden_size},
                                    {"num_hidden_layers", c.text_encoder.num_hidden_layers},
                                    {"tokens", c.text_encoder.max_position_embeddings}}}};
}

std::string text_of(const UNetConfig& c) {
  std::vector<std::string> levels;
  for (std::size_t i = 0; i < c.block_out_channels.size(); ++i)
    levels.push_back(
        fmt::format("{}{}", c.block_out_channels[i], c.down_block_attention[i] ? " (attention)" : ""));
  return fmt::format("{} channels, {} block{} each", fmt::join(levels, ", "), c.layers_per_block,
                     c.layers_per_block == 1 ? "" : "s");
}

std::string text_of(const ConvNextConfig& c) {
  std::vector<int> widths;
  for (const int mult : c.dim_mults) widths.push_back(c.dim * mult);
  return fmt::format("{} channels, 2 ConvNeXt blocks and linear attention each", fmt::join(widths, ", "));
}

std::string text_of(const WordsConfig& c) {
  std::vector<std::string> levels;
  for (std::size_t i = 0; i < c.unet.levels(); ++i)
    levels.push_back(fmt::format("{}{}", c.unet.block_out_channels[i],
                                 c.unet.down_block_attention[i] ? " (attention to words)" : ""));
  return fmt::format("{} channels, {} blocks each; words: {} layers of {} channels, {} tokens of {}",
                     fmt::join(levels, ", "), fmt::join(c.unet.layers_per_block, ", "),
                     c.text_encoder.num_hidden_layers, c.text_encoder.hidden_size,
                     c.text_encoder.max_position_embeddings, c.text_encoder.vocab_size);
}

}  // namespace

std::string describe_levels(const NetworkConfig& config) {
  return std::visit([](const auto& c) { return text_of(c); }, config);
}

Json::Object levels_to_json(const NetworkConfig& config) {
  return std::visit([](const auto& c) { return json_of(c); }, config);
}

}  // namespace diffusion
