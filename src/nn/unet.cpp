#include "nn/unet.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "nn/layers.h"
#include "nn/unet_blocks.h"

namespace diffusion {

namespace {

// Writes the blocks of one network into its graph.
class UNetBuilder {
 public:
  UNetBuilder(const UNetConfig& config, Graph& graph)
      : c_(config),
        g_(graph),
        blocks_(graph, {c_.norm_num_groups, c_.norm_eps, c_.act_fn, c_.scale_shift, c_.dropout}) {}

  // --- embeddings
  // --------------------------------------------------------------------------------------------

  Value embed_time(Value t) {
    return embedding_mlp(g_, "time_embedding", time_features(t), c_.time_embedding_width(), Activation::silu);
  }

  Value embed_class(Value labels) {
    const std::int64_t width = c_.time_embedding_width(), rows = c_.num_class_embeds;
    if (c_.class_embed_type == ClassEmbedding::identity) return labels;
    if (c_.class_embed_type == ClassEmbedding::timestep)
      return embedding_mlp(g_, "class_embedding", time_features(labels), int(width), Activation::silu);
    const Value table =
        g_.param({{{"class_embedding.weight", {rows, width}}}, {Init::Kind::normal}}, {rows, width, 1, 1});
    return g_.add(Embedding{}, {labels, table}, "class_embedding");
  }

  void set_embedding(Value embedding) { blocks_.set_embedding(embedding); }

  // --- blocks
  // ------------------------------------------------------------------------------------------------

  // norm_groups == 0: no normalization.
  Value attention(const std::string& name, Value x, int norm_groups, double output_scale) {
    const int channels = int(g_.shape(x).c);
    const int head_dim = c_.attention_head_dim.value_or(channels), heads = channels / head_dim;
    Value h = x;
    if (norm_groups > 0) h = group_norm(g_, name + ".group_norm", x, {norm_groups, c_.norm_eps});
    h = project_qkv(g_, name, h, heads * head_dim);
    h = g_.add(Attention{heads}, {h}, name + ".softmax");
    h = pointwise(g_, name + ".to_out.0", h, channels);
    return g_.add(Add{1 / output_scale}, {x, h}, name);
  }

  Value middle(Value x) {
    const auto block = g_.block();
    const int channels = int(g_.shape(x).c);
    const double scale = c_.mid_block_scale_factor;
    x = blocks_.resnet("mid_block.resnets.0", x, channels, scale);
    if (c_.add_attention) {
      const int groups = c_.attn_norm_num_groups.value_or(c_.scale_shift ? 0 : c_.norm_num_groups);
      x = attention("mid_block.attentions.0", x, groups, scale);
    }
    return blocks_.resnet("mid_block.resnets.1", x, channels, scale);
  }

  Value downsample(const std::string& name, Value x, bool block_has_attention) {
    if (block_has_attention && c_.downsample_type == Resampling::resnet)
      return blocks_.resnet(name, x, int(g_.shape(x).c), 1, UNetBlocks::Resize::down);
    return blocks_.downsample(name, x, c_.downsample_padding);
  }

  Value upsample(const std::string& name, Value x, bool block_has_attention) {
    if (block_has_attention && c_.upsample_type == Resampling::resnet)
      return blocks_.resnet(name, x, int(g_.shape(x).c), 1, UNetBlocks::Resize::up);
    return blocks_.upsample(name, x);
  }

  // `skip` is joined to x first.
  Value layer(const std::string& block, int m, Value x, std::optional<Value> skip, int out_channels,
              bool with_attention) {
    const auto whole = g_.block();
    if (skip) x = g_.add(Concat{}, {x, *skip}, fmt::format("{}.concat.{}", block, m));
    x = blocks_.resnet(fmt::format("{}.resnets.{}", block, m), x, out_channels, 1);
    if (with_attention) x = attention(fmt::format("{}.attentions.{}", block, m), x, c_.norm_num_groups, 1);
    return x;
  }

 private:
  // diffusers flips the order of sine and cosine for sinusoids only.
  // Sinusoids, random Fourier features or a learned table: [N, block_out_channels[0] (x 2 for fourier), 1,
  // 1].
  Value time_features(Value t) {
    const std::int64_t width = c_.block_out_channels[0];
    switch (c_.time_embedding_type) {
      case TimeEmbedding::positional:
        return g_.add(TimestepEmbedding{int(width), c_.freq_shift, c_.flip_sin_to_cos}, {t}, "time_proj");
      case TimeEmbedding::fourier:
        return g_.add(FourierEmbedding{false}, {t, time_table({width}, {1, width, 1, 1}, 16, false)},
                      "time_proj");
      case TimeEmbedding::learned:
        return g_.add(
            Embedding{},
            {t, time_table({c_.num_train_timesteps, width}, {c_.num_train_timesteps, width, 1, 1}, 1, true)},
            "time_proj");
    }
    return t;
  }

  Value time_table(std::vector<std::int64_t> dims, const Shape& shape, double scale, bool trainable) {
    if (!time_table_)
      time_table_ =
          g_.param({{{"time_proj.weight", std::move(dims)}}, {Init::Kind::normal, scale}, trainable}, shape);
    return *time_table_;
  }

  const UNetConfig& c_;
  Graph& g_;
  UNetBlocks blocks_;
  std::optional<Value> time_table_;
};

}  // namespace

std::vector<ConditionTraits> conditions_of(const UNetConfig& c) {
  using Kind = ConditionTraits::Kind;
  std::vector<ConditionTraits> conditions;
  switch (c.class_embed_type) {
    case ClassEmbedding::none:
      break;
    case ClassEmbedding::table:
      conditions.push_back({kClassCondition, Kind::row, 1, c.num_class_embeds});
      break;
    case ClassEmbedding::timestep:
      conditions.push_back({kClassCondition, Kind::number, 1});
      break;
    case ClassEmbedding::identity:
      conditions.push_back({kClassCondition, Kind::vector, c.time_embedding_width()});
      break;
  }
  if (c.known_channels > 0) conditions.push_back({kKnownCondition, Kind::map, c.known_channels});
  return conditions;
}

// The figure: down the left side keeping every output, through the middle, up the right side taking them
// back.
Network make_unet(const UNetConfig& config, int n, int height, int width) {
  validate(config);
  validate_image_size(config.size_multiple(), height, width);
  Network net;
  Graph& g = net.graph;
  UNetBuilder build(config, g);
  const std::vector<int>& channels = config.block_out_channels;
  const int levels = int(channels.size());

  net.sample = g.input("sample", {n, config.sample_channels(), height, width});
  net.timestep = g.input("timestep", {n, 1, 1, 1});
  Value embedding = build.embed_time(net.timestep);
  for (const ConditionTraits& condition : conditions_of(config)) {  // of the class, of what is known
    if (condition.kind == ConditionTraits::Kind::map) {
      net.conditions.push_back({condition, g.input("known", {n, condition.size, height, width})});
      continue;
    }
    const Value labels = g.input("class_labels", {n, condition.size, 1, 1});
    net.conditions.push_back({condition, labels});
    embedding = g.add(Add{}, {embedding, build.embed_class(labels)}, "embedding");
  }
  build.set_embedding(embedding);

  Value x = net.sample;
  if (config.center_input_sample) x = g.add(Affine{2, -1}, {x}, "center_input_sample");
  if (const Network::Condition* known = net.condition(kKnownCondition))
    x = g.add(Concat{}, {x, known->value}, "known.concat");
  x = conv3x3(g, "conv_in", x, channels[0]);
  std::vector<Value> skips{x};

  for (int i = 0; i < levels; ++i) {
    const std::string block = fmt::format("down_blocks.{}", i);
    const bool attends = config.down_block_attention[std::size_t(i)];
    for (int m = 0; m < config.layers_per_block; ++m) {
      x = build.layer(block, m, x, {}, channels[std::size_t(i)], attends);
      skips.push_back(x);
    }
    if (i < levels - 1) {
      x = build.downsample(block + ".downsamplers.0", x, attends);
      skips.push_back(x);
    }
  }

  if (config.mid_block) x = build.middle(x);

  for (int i = 0; i < levels; ++i) {
    const std::string block = fmt::format("up_blocks.{}", i);
    const bool attends = config.up_block_attention[std::size_t(i)];
    for (int m = 0; m <= config.layers_per_block; ++m) {
      x = build.layer(block, m, x, skips.back(), channels[std::size_t(levels - 1 - i)], attends);
      skips.pop_back();
    }
    if (i < levels - 1) x = build.upsample(block + ".upsamplers.0", x, attends);
  }

  x = group_norm(g, "conv_norm_out", x, {config.norm_num_groups, config.norm_eps, Activation::silu});
  x = conv3x3(g, "conv_out", x, config.out_channels);
  if (config.time_embedding_type == TimeEmbedding::fourier)
    x = g.add(DivideBy{}, {x, net.timestep}, "output");
  net.output = x;
  return net;
}

}  // namespace diffusion
