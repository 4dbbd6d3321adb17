#include "nn/unet.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "nn/layers.h"

namespace diffusion {

namespace {

// Writes the blocks of one network into its graph.
class UNetBuilder {
 public:
  UNetBuilder(const UNetConfig& config, Graph& graph) : c_(config), g_(graph) {}

  // --- embeddings
  // --------------------------------------------------------------------------------------------

  Value embed_time(Value t) {
    const Value features = time_features(t);
    const Value hidden = linear(g_, "time_embedding.linear_1", features, c_.time_embedding_width());
    const Value active = g_.add(Activate{Activation::silu}, {hidden}, "time_embedding.act");
    return linear(g_, "time_embedding.linear_2", active, c_.time_embedding_width());
  }

  Value embed_class(Value labels) {
    const std::int64_t width = c_.time_embedding_width(), rows = c_.num_class_embeds;
    if (c_.class_embed_type == ClassEmbedding::identity) return labels;
    if (c_.class_embed_type == ClassEmbedding::timestep) {
      const Value hidden = linear(g_, "class_embedding.linear_1", time_features(labels), int(width));
      const Value active = g_.add(Activate{Activation::silu}, {hidden}, "class_embedding.act");
      return linear(g_, "class_embedding.linear_2", active, int(width));
    }
    const Value table =
        g_.param({{{"class_embedding.weight", {rows, width}}}, {Init::Kind::normal}}, {rows, width, 1, 1});
    return g_.add(Embedding{}, {labels, table}, "class_embedding");
  }

  // What every residual block sees of time and class.
  void set_embedding(Value embedding) {
    embedding_ = g_.add(Activate{c_.act_fn}, {embedding}, "embedding.act");
  }

  // --- blocks
  // ------------------------------------------------------------------------------------------------

  enum class Resize { none, down, up };

  // norm - act - (resize) - conv - time - norm - act - conv, plus the shortcut.
  Value resnet(const std::string& name, Value x, int out_channels, double output_scale,
               Resize resize = Resize::none) {
    const NormSpec norm{c_.norm_num_groups, c_.norm_eps, c_.act_fn};
    Value h = group_norm(g_, name + ".norm1", x, norm);
    if (resize == Resize::down) {
      x = g_.add(AvgPool{}, {x}, name + ".pool_x");
      h = g_.add(AvgPool{}, {h}, name + ".pool_h");
    } else if (resize == Resize::up) {
      x = g_.add(Upsample{}, {x}, name + ".up_x");
      h = g_.add(Upsample{}, {h}, name + ".up_h");
    }
    h = conv3x3(g_, name + ".conv1", h, out_channels);
    const Value time =
        linear(g_, name + ".time_emb_proj", embedding_, c_.scale_shift ? 2 * out_channels : out_channels);
    h = group_norm(g_, name + ".norm2", h, norm,
                   c_.scale_shift ? Modulation::scale_shift_after : Modulation::shift_before, time);
    if (c_.dropout > 0) h = g_.add(Dropout{c_.dropout, dropouts_++}, {h}, name + ".dropout");
    h = conv3x3(g_, name + ".conv2", h, out_channels);
    if (g_.shape(x).c != out_channels) x = conv1x1(g_, name + ".conv_shortcut", x, out_channels);
    return g_.add(Add{1 / output_scale}, {x, h}, name);
  }

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
    const int channels = int(g_.shape(x).c);
    const double scale = c_.mid_block_scale_factor;
    x = resnet("mid_block.resnets.0", x, channels, scale);
    if (c_.add_attention) {
      const int groups = c_.attn_norm_num_groups.value_or(c_.scale_shift ? 0 : c_.norm_num_groups);
      x = attention("mid_block.attentions.0", x, groups, scale);
    }
    return resnet("mid_block.resnets.1", x, channels, scale);
  }

  Value downsample(const std::string& name, Value x, bool block_has_attention) {
    const int channels = int(g_.shape(x).c);
    if (block_has_attention && c_.downsample_type == Resampling::resnet)
      return resnet(name, x, channels, 1, Resize::down);
    const int low = c_.downsample_padding;  // 0: the border is at the bottom and right alone
    return conv(g_, name + ".conv", x, channels, 3, {2, low, low, 1, 1});
  }

  Value upsample(const std::string& name, Value x, bool block_has_attention) {
    const int channels = int(g_.shape(x).c);
    if (block_has_attention && c_.upsample_type == Resampling::resnet)
      return resnet(name, x, channels, 1, Resize::up);
    return upsample_conv3x3(g_, name + ".conv", x, channels);
  }

  Value layer(const std::string& block, int m, Value x, int out_channels, bool with_attention) {
    x = resnet(fmt::format("{}.resnets.{}", block, m), x, out_channels, 1);
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
  Value embedding_;
  std::optional<Value> time_table_;
  int dropouts_ = 0;
};

}  // namespace

std::vector<ConditionTraits> conditions_of(const UNetConfig& c) {
  using Kind = ConditionTraits::Kind;
  switch (c.class_embed_type) {
    case ClassEmbedding::none:
      return {};
    case ClassEmbedding::table:
      return {{kClassCondition, Kind::row, 1, c.num_class_embeds}};
    case ClassEmbedding::timestep:
      return {{kClassCondition, Kind::number, 1}};
    case ClassEmbedding::identity:
      return {{kClassCondition, Kind::vector, c.time_embedding_width()}};
  }
  return {};
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

  net.sample = g.input("sample", {n, config.in_channels, height, width});
  net.timestep = g.input("timestep", {n, 1, 1, 1});
  Value embedding = build.embed_time(net.timestep);
  for (const ConditionTraits& condition : conditions_of(config)) {  // the class, or none
    const Value labels = g.input("class_labels", {n, condition.size, 1, 1});
    net.conditions.push_back({condition, labels});
    embedding = g.add(Add{}, {embedding, build.embed_class(labels)}, "embedding");
  }
  build.set_embedding(embedding);

  Value x = net.sample;
  if (config.center_input_sample) x = g.add(Affine{2, -1}, {x}, "center_input_sample");
  x = conv3x3(g, "conv_in", x, channels[0]);
  std::vector<Value> skips{x};

  for (int i = 0; i < levels; ++i) {
    const std::string block = fmt::format("down_blocks.{}", i);
    const bool attends = config.down_block_attention[std::size_t(i)];
    for (int m = 0; m < config.layers_per_block; ++m) {
      x = build.layer(block, m, x, channels[std::size_t(i)], attends);
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
      x = g.add(Concat{}, {x, skips.back()}, fmt::format("{}.concat.{}", block, m));
      skips.pop_back();
      x = build.layer(block, m, x, channels[std::size_t(levels - 1 - i)], attends);
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
