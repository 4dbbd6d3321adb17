#include "eval/likelihood_denoiser.h"

#include <fmt/format.h>

#include <cmath>
#include <variant>

#include "base/error.h"

namespace diffusion {

namespace {

// The network with nothing to train, so that a plan has no weights' gradients, and without dropout, which a
// plan in training mode would apply.
Network frozen(const Network& net) {
  Network result;
  std::vector<Value> values;  // by node of `net`
  for (const Graph::Node& node : net.graph.nodes()) {
    std::vector<Value> in;
    for (const int id : node.in) in.push_back(values[std::size_t(id)]);
    if (node.source == Graph::Source::input) {
      values.push_back(result.graph.input(node.name, node.shape));
    } else if (node.source == Graph::Source::param) {
      Param param = net.graph.params()[std::size_t(node.param)];
      param.trainable = false;
      values.push_back(result.graph.param(std::move(param), node.shape));
    } else if (std::holds_alternative<Dropout>(node.op)) {
      values.push_back(in.front());
    } else {
      values.push_back(result.graph.add(node.op, in, node.name));
    }
  }
  const auto at = [&](Value value) { return values[std::size_t(value.id)]; };
  result.sample = at(net.sample);
  result.timestep = at(net.timestep);
  if (net.class_labels) result.class_labels = at(*net.class_labels);
  result.output = at(net.output);
  return result;
}

bool takes_whole_timesteps(const NetworkConfig& config) {
  const auto* unet = std::get_if<UNetConfig>(&config);
  return unet && unet->time_embedding_type == TimeEmbedding::learned;
}

}  // namespace

LikelihoodDenoiser::LikelihoodDenoiser(Model& model, const Device& device, int batch, int height, int width,
                                       Use use)
    : model_(model),
      net_(frozen(make_network(model.network, batch, height, width))),
      plan_(net_.graph, net_.output, device, use == Use::jacobian ? Mode::training : Mode::inference,
            model.params, {.input_grads = use == Use::jacobian}),
      whole_timesteps_(takes_whole_timesteps(model.network)),
      image_size_(std::size_t(net_.graph.shape(net_.sample).elements()) / std::size_t(batch)),
      numbers_(std::size_t(net_.graph.shape(net_.sample).elements())),
      timesteps_(std::size_t(batch)) {
  const NetworkTraits traits = model.traits();
  if (traits.class_embed_type != ClassEmbedding::none && traits.class_embed_type != ClassEmbedding::table)
    throw Error(ErrorKind::usage,
                "likelihoods support class tables (num_class_embeds), not other class_embed_types");
  if (traits.in_channels != traits.out_channels)
    throw Error(ErrorKind::usage,
                fmt::format("a network with {} input and {} output channels is no denoiser we know",
                            traits.in_channels, traits.out_channels));
}

void LikelihoodDenoiser::set_labels(std::span<const int> labels) {
  if (!net_.class_labels) {
    if (!labels.empty()) throw Error(ErrorKind::usage, "this model knows no classes, so it takes no labels");
    return;
  }
  for (const int label : labels)
    if (label < 0 || label >= model_.traits().num_class_embeds)
      throw Error(ErrorKind::usage, fmt::format("label {} is not a class of this model; accepted are 0 to {}",
                                                label, model_.traits().num_class_embeds - 1));
  plan_.write_input(*net_.class_labels, std::vector<float>(labels.begin(), labels.end()));
}

void LikelihoodDenoiser::denoise(std::span<const double> x, std::span<const double> sigmas,
                                 std::span<double> denoised) {
  for (std::size_t k = 0; k < sigmas.size(); ++k) {
    const Scalings s = model_.preconditioner.scalings(sigmas[k]);
    for (std::size_t i = k * image_size_; i < (k + 1) * image_size_; ++i) numbers_[i] = float(s.c_in * x[i]);
    timesteps_[k] = float(whole_timesteps_ ? std::round(s.c_noise) : s.c_noise);
  }
  plan_.write_input(net_.sample, numbers_);
  plan_.write_input(net_.timestep, timesteps_);
  plan_.forward();
  plan_.read_output(numbers_);
  for (std::size_t k = 0; k < sigmas.size(); ++k) {
    const Scalings s = model_.preconditioner.scalings(sigmas[k]);
    for (std::size_t i = k * image_size_; i < (k + 1) * image_size_; ++i)
      denoised[i] = s.c_skip * x[i] + s.c_out * double(numbers_[i]);
  }
}

// dD/dx = c_skip + c_out c_in dF/d(c_in x).
void LikelihoodDenoiser::denoise(std::span<const double> x, std::span<const double> sigmas,
                                 std::span<const double> probe, std::span<double> denoised,
                                 std::span<double> product) {
  denoise(x, sigmas, denoised);
  numbers_.assign(probe.begin(), probe.end());
  plan_.backward(numbers_);
  plan_.read_input_grad(net_.sample, product);
  for (std::size_t k = 0; k < sigmas.size(); ++k) {
    const Scalings s = model_.preconditioner.scalings(sigmas[k]);
    for (std::size_t i = k * image_size_; i < (k + 1) * image_size_; ++i)
      product[i] = s.c_skip * probe[i] + s.c_out * s.c_in * product[i];
  }
}

}  // namespace diffusion
