#include "nn/conditional_unet.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "nn/layers.h"
#include "nn/unet_blocks.h"

namespace diffusion {

namespace {

using ClassInput = ConditionalUNetConfig::ClassEmbedding;

class ConditionalUNetBuilder {
 public:
  ConditionalUNetBuilder(const ConditionalUNetConfig& config, Graph& graph, const Words& words)
      : c_(config),
        g_(graph),
        words_(words),
        blocks_(graph, {c_.norm_num_groups, c_.norm_eps, c_.act_fn, c_.scale_shift, c_.dropout}) {}

  void embed(Value timestep, const std::optional<Value>& class_label) {
    const int width = c_.time_embedding_width();
    Value embedding = embedding_mlp(g_, "time_embedding", sinusoids(timestep), width, c_.act_fn);
    if (c_.timestep_post_act != Activation::none)
      embedding = g_.add(Activate{c_.timestep_post_act}, {embedding}, "time_embedding.post_act");
    if (class_label && c_.class_embeddings_concat)
      embedding = g_.add(Concat{}, {embedding, embed_class(*class_label)}, "embedding");
    else if (class_label)
      embedding = g_.add(Add{}, {embedding, embed_class(*class_label)}, "embedding");
    if (c_.time_embedding_act_fn != Activation::none)
      embedding = g_.add(Activate{c_.time_embedding_act_fn}, {embedding}, "time_embed_act");
    blocks_.set_embedding(embedding);
  }

  // `skip` is joined to x first.
  Value layer(const std::string& block, int m, Value x, std::optional<Value> skip, std::size_t level,
              bool attends) {
    const auto whole = g_.block();
    if (skip) x = g_.add(Concat{}, {x, *skip}, fmt::format("{}.concat.{}", block, m));
    x = blocks_.resnet(fmt::format("{}.resnets.{}", block, m), x, c_.block_out_channels[level], 1);
    return attends
               ? attend(fmt::format("{}.attentions.{}", block, m), x, level, c_.only_cross_attention[level])
               : x;
  }

  Value middle(Value x) {
    const auto block = g_.block();
    const std::size_t level = c_.levels() - 1;
    const int channels = c_.block_out_channels[level];
    x = blocks_.resnet("mid_block.resnets.0", x, channels, c_.mid_block_scale_factor);
    if (c_.middle == ConditionalUNetConfig::Middle::plain) return x;
    x = attend("mid_block.attentions.0", x, level, false);
    return blocks_.resnet("mid_block.resnets.1", x, channels, c_.mid_block_scale_factor);
  }

  UNetBlocks& blocks() { return blocks_; }

 private:
  Value sinusoids(Value t) {
    return g_.add(TimestepEmbedding{c_.block_out_channels[0], c_.freq_shift, c_.flip_sin_to_cos}, {t},
                  "time_proj");
  }

  Value embed_class(Value label) {
    const int width = c_.time_embedding_width();
    switch (c_.class_embed_type) {
      case ClassInput::timestep:
        return embedding_mlp(g_, "class_embedding", sinusoids(label), width, c_.act_fn);
      case ClassInput::projection:
        return embedding_mlp(g_, "class_embedding", label, width, Activation::silu);
      case ClassInput::simple_projection:
        return linear(g_, "class_embedding", label, width);
      case ClassInput::table: {
        const std::int64_t rows = c_.num_class_embeds;
        const Value table = g_.param({{{"class_embedding.weight", {rows, width}}}, {Init::Kind::normal}},
                                     {rows, width, 1, 1});
        return g_.add(Embedding{}, {label, table}, "class_embedding");
      }
      case ClassInput::identity:
      case ClassInput::none:
        break;
    }
    return label;
  }

  Value attend(const std::string& name, Value x, std::size_t level, bool only_cross_attention) {
    return picture_transformer(g_, name, x, words_,
                               {c_.heads[level], c_.transformer_layers_per_block[level], c_.norm_num_groups,
                                c_.use_linear_projection, only_cross_attention});
  }

  const ConditionalUNetConfig& c_;
  Graph& g_;
  Words words_;
  UNetBlocks blocks_;
};

}  // namespace

std::optional<ConditionTraits> class_condition(const ConditionalUNetConfig& c) {
  using Kind = ConditionTraits::Kind;
  if (c.class_is_mean_of_words) return std::nullopt;
  switch (c.class_embed_type) {
    case ClassInput::none:
      break;
    case ClassInput::table:
      return ConditionTraits{kClassCondition, Kind::row, 1, c.num_class_embeds};
    case ClassInput::timestep:
      return ConditionTraits{kClassCondition, Kind::number, 1};
    case ClassInput::identity:
      return ConditionTraits{kClassCondition, Kind::vector, c.time_embedding_width()};
    case ClassInput::projection:
    case ClassInput::simple_projection:
      return ConditionTraits{kClassCondition, Kind::vector, c.projection_class_embeddings_input_dim};
  }
  return std::nullopt;
}

// Down the left side keeping every output, through the middle, up the right side taking them back.
Value conditional_unet(Graph& g, const ConditionalUNetConfig& c, const ConditionalUNetInputs& in) {
  ConditionalUNetBuilder build(c, g, in.words);
  const std::size_t levels = c.levels();
  build.embed(in.timestep, c.class_is_mean_of_words ? g.add(MeanOfPixels{}, {in.words.states}, "class_labels")
                                                    : in.class_label);

  Value x = in.sample;
  if (c.center_input_sample) x = g.add(Affine{2, -1}, {x}, "center_input_sample");
  const auto same_size = [](int kernel) {
    const int pad = (kernel - 1) / 2;
    return Conv2d{1, pad, pad, pad, pad};
  };
  x = conv(g, "conv_in", x, c.block_out_channels[0], c.conv_in_kernel, same_size(c.conv_in_kernel));
  std::vector<Value> skips{x};

  for (std::size_t i = 0; i < levels; ++i) {
    const std::string block = fmt::format("down_blocks.{}", i);
    for (int m = 0; m < c.layers_per_block[i]; ++m)
      skips.push_back(x = build.layer(block, m, x, {}, i, c.down_block_attention[i]));
    if (i + 1 < levels)
      skips.push_back(x = build.blocks().downsample(block + ".downsamplers.0", x, c.downsample_padding));
  }

  if (c.middle != ConditionalUNetConfig::Middle::none) x = build.middle(x);

  for (std::size_t i = 0; i < levels; ++i) {
    const std::string block = fmt::format("up_blocks.{}", i);
    const std::size_t level = levels - 1 - i;
    for (int m = 0; m <= c.layers_per_block[level]; ++m) {
      x = build.layer(block, m, x, skips.back(), level, c.up_block_attention[i]);
      skips.pop_back();
    }
    if (i + 1 < levels) x = build.blocks().upsample(block + ".upsamplers.0", x);
  }

  x = group_norm(g, "conv_norm_out", x, {c.norm_num_groups, c.norm_eps, c.act_fn});
  return conv(g, "conv_out", x, c.out_channels, c.conv_out_kernel, same_size(c.conv_out_kernel));
}

}  // namespace diffusion
