#include "nn/unet_blocks.h"

#include "nn/layers.h"

namespace diffusion {

void UNetBlocks::set_embedding(Value embedding) {
  embedding_ = g_.add(Activate{style_.activation}, {embedding}, "embedding.act");
}

Value UNetBlocks::resnet(const std::string& name, Value x, int out_channels, double output_scale,
                         Resize resize) {
  const NormSpec norm{style_.norm_groups, style_.norm_eps, style_.activation};
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
      linear(g_, name + ".time_emb_proj", embedding_, style_.scale_shift ? 2 * out_channels : out_channels);
  h = group_norm(g_, name + ".norm2", h, norm,
                 style_.scale_shift ? Modulation::scale_shift_after : Modulation::shift_before, time);
  if (style_.dropout > 0) h = g_.add(Dropout{style_.dropout, dropouts_++}, {h}, name + ".dropout");
  h = conv3x3(g_, name + ".conv2", h, out_channels);
  if (g_.shape(x).c != out_channels) x = conv1x1(g_, name + ".conv_shortcut", x, out_channels);
  return g_.add(Add{1 / output_scale}, {x, h}, name);
}

Value UNetBlocks::downsample(const std::string& name, Value x, int padding) {
  return conv(g_, name + ".conv", x, int(g_.shape(x).c), 3, {2, padding, padding, 1, 1});
}

Value UNetBlocks::upsample(const std::string& name, Value x) {
  return upsample_conv3x3(g_, name + ".conv", x, int(g_.shape(x).c));
}

Value embedding_mlp(Graph& g, const std::string& name, Value features, int width, Activation activation) {
  const Value hidden = linear(g, name + ".linear_1", features, width);
  const Value active = g.add(Activate{activation}, {hidden}, name + ".act");
  return linear(g, name + ".linear_2", active, width);
}

}  // namespace diffusion
