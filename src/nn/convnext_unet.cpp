#include "nn/convnext_unet.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "nn/layers.h"

namespace diffusion {

namespace {

constexpr double kNormEps = 1e-5;

// Writes the blocks of one network into its graph.
class ConvNextBuilder {
 public:
  ConvNextBuilder(const ConvNextConfig& config, Graph& graph) : c_(config), g_(graph) {}

  // Sinusoids, then two layers: what every block sees of time.
  void embed_time(Value t) {
    const Value features = g_.add(TimestepEmbedding{c_.dim, 1, false}, {t}, "time_mlp.0");
    const Value hidden = linear(g_, "time_mlp.1", features, 4 * c_.dim);
    const Value active = g_.add(Activate{c_.activation}, {hidden}, "time_mlp.2");
    const Value embedding = linear(g_, "time_mlp.3", active, 4 * c_.dim);
    embedding_ = g_.add(Activate{c_.activation}, {embedding}, "time_mlp.act");
  }

  // depthwise 7x7 - time - norm - conv - act - norm - conv, plus the shortcut.
  Value block(const std::string& name, Value x, int out_channels, bool timed = true) {
    const auto whole = g_.block();
    const int channels = int(g_.shape(x).c), inner = c_.block_mult * out_channels;
    const NormSpec norm{1, kNormEps};
    Value h = depthwise_conv(g_, name + ".ds_conv", x, 7);
    if (timed) {
      const Value time = linear(g_, name + ".mlp.1", embedding_, channels);
      h = group_norm(g_, name + ".net.0", h, norm, Modulation::shift_before, time);
    } else {
      h = group_norm(g_, name + ".net.0", h, norm);
    }
    h = plain_conv(g_, name + ".net.1", h, inner, 3, {1, 1, 1, 1, 1});
    h = g_.add(Activate{c_.activation}, {h}, name + ".net.2");
    h = group_norm(g_, name + ".net.3", h, norm);
    h = plain_conv(g_, name + ".net.4", h, out_channels, 3, {1, 1, 1, 1, 1});
    if (channels != out_channels) x = plain_conv(g_, name + ".res_conv", x, out_channels, 1, {});
    return g_.add(Add{}, {x, h}, name);
  }

  // Residual(PreNorm(LinearAttention)), which ends in a norm of its own.
  Value linear_attention(const std::string& name, Value x) {
    const auto whole = g_.block();
    Value h = qkv(name, x);
    h = g_.add(LinearAttention{c_.heads}, {h}, name + ".fn.fn");
    h = conv1x1(g_, name + ".fn.fn.to_out.0", h, int(g_.shape(x).c));
    h = channel_norm(g_, name + ".fn.fn.to_out.1", h, kNormEps);
    return g_.add(Add{}, {x, h}, name);
  }

  Value attention(const std::string& name, Value x) {
    const auto whole = g_.block();
    Value h = qkv(name, x);
    h = g_.add(Attention{c_.heads}, {h}, name + ".fn.fn");
    h = conv1x1(g_, name + ".fn.fn.to_out", h, int(g_.shape(x).c));
    return g_.add(Add{}, {x, h}, name);
  }

  // Two blocks and attention: one level on either side.
  Value level(const std::string& name, Value x, int out_channels) {
    x = block(name + ".0", x, out_channels);
    x = block(name + ".1", x, out_channels);
    return linear_attention(name + ".2", x);
  }

 private:
  Value qkv(const std::string& name, Value x) {
    const Value h = group_norm(g_, name + ".fn.norm", x, {1, kNormEps});
    return plain_conv(g_, name + ".fn.fn.to_qkv", h, 3 * c_.heads * c_.head_dim, 1, {});
  }

  const ConvNextConfig& c_;
  Graph& g_;
  Value embedding_;
};

}  // namespace

Network make_convnext_unet(const ConvNextConfig& config, int n, int height, int width) {
  validate(config);
  validate_image_size(config.size_multiple(), height, width);
  Network net;
  Graph& g = net.graph;
  ConvNextBuilder build(config, g);
  const int levels = int(config.dim_mults.size());
  const auto dim = [&](int level) { return config.dim * config.dim_mults[std::size_t(level)]; };

  net.sample = g.input("sample", {n, config.channels, height, width});
  net.timestep = g.input("timestep", {n, 1, 1, 1});
  build.embed_time(net.timestep);
  Value x = conv(g, "init_conv", net.sample, config.dim / 3 * 2, 7, {1, 3, 3, 3, 3});

  std::vector<Value> skips;
  for (int i = 0; i < levels; ++i) {
    const std::string name = fmt::format("downs.{}", i);
    x = build.level(name, x, dim(i));
    skips.push_back(x);
    if (i < levels - 1) x = plain_conv(g, name + ".3", x, dim(i), 4, {2, 1, 1, 1, 1});
  }

  x = build.block("mid_block1", x, dim(levels - 1));
  x = build.attention("mid_attn", x);
  x = build.block("mid_block2", x, dim(levels - 1));

  for (int i = levels - 1; i >= 1; --i) {
    const std::string name = fmt::format("ups.{}", levels - 1 - i);
    x = g.add(Concat{}, {x, skips[std::size_t(i)]}, name + ".concat");
    x = build.level(name, x, dim(i - 1));
    x = conv_transpose(g, name + ".3", x, dim(i - 1), 4, {2, 1});
  }

  if (config.first_skip) x = g.add(Concat{}, {x, skips[0]}, "final_conv.concat");
  x = build.block("final_conv.0", x, config.dim, false);
  net.output = plain_conv(g, "final_conv.1", x, config.channels, 1, {});
  return net;
}

}  // namespace diffusion
