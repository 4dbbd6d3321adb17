#include "diffusion/denoiser.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace diffusion {

NetworkDenoiser::NetworkDenoiser(Model& model, const Device& device, int batch, int height, int width)
    : model_(model),
      net_(make_network(model.network, batch, height, width)),
      plan_(net_.graph, net_.output, device, Mode::inference, model.params),
      input_(std::size_t(net_.graph.shape(net_.sample).elements())),
      network_output_(std::size_t(net_.graph.shape(net_.output).elements())),
      timesteps_(std::size_t(batch)) {
  const NetworkTraits traits = model.traits();
  if (traits.class_embed_type != ClassEmbedding::none && traits.class_embed_type != ClassEmbedding::table)
    throw Error(ErrorKind::usage,
                "sampling supports class tables (num_class_embeds), not other class_embed_types");
  if (network_output_.size() != input_.size())
    throw Error(ErrorKind::usage,
                fmt::format("a network with {} input and {} output channels is no denoiser we know",
                            traits.in_channels, traits.out_channels));
}

void NetworkDenoiser::set_labels(std::span<const int> labels) {
  if (!net_.class_labels) {
    if (!labels.empty()) throw Error(ErrorKind::usage, "this model knows no classes, so it takes no labels");
    return;
  }
  const int rows = model_.traits().num_class_embeds;
  for (int label : labels)
    if (label < 0 || label >= rows)
      throw Error(ErrorKind::usage, fmt::format("label {} is not a class of this model; accepted are 0 to {}",
                                                label, model_.class_count() - 1));
  plan_.write_input(*net_.class_labels, std::vector<float>(labels.begin(), labels.end()));
}

void NetworkDenoiser::denoise(std::span<const double> x, double sigma, std::span<double> denoised) {
  const Scalings s = model_.preconditioner.scalings(sigma);
  for (std::size_t i = 0; i < x.size(); ++i) input_[i] = float(s.c_in * x[i]);
  std::ranges::fill(timesteps_, float(levels_.timestep_of(sigma).value_or(s.c_noise)));
  plan_.write_input(net_.sample, input_);
  plan_.write_input(net_.timestep, timesteps_);
  plan_.forward();
  plan_.read_output(network_output_);
  for (std::size_t i = 0; i < x.size(); ++i)
    denoised[i] = s.c_skip * x[i] + s.c_out * double(network_output_[i]);
}

Denoiser NetworkDenoiser::with_labels(std::vector<int> labels) {
  return [this, labels = std::move(labels)](std::span<const double> x, double sigma,
                                            std::span<double> denoised) {
    set_labels(labels);
    denoise(x, sigma, denoised);
  };
}

}  // namespace diffusion
