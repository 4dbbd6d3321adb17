#include "eval/classifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include <diffusion/error.h>
#include "eval/feature_maps.h"
#include "nn/layers.h"
#include "plan/plan.h"

namespace diffusion {

namespace {

constexpr double kNormEps = 1e-5;
constexpr const char* kHead = "head";

Value normalized(Graph& g, const std::string& name, Value x, int groups) {
  return group_norm(g, name, x, {groups, kNormEps, Activation::silu});
}

Value block(Graph& g, const std::string& name, Value x, int width, bool halve, int groups) {
  const Value first = normalized(g, name + ".norm1", x, groups);
  const Conv2d geometry{halve ? 2 : 1, 1, 1, 1, 1};
  const Value hidden = conv(g, name + ".conv1", first, width, 3, geometry);
  const Value second = conv3x3(g, name + ".conv2", normalized(g, name + ".norm2", hidden, groups), width);
  if (!halve) return g.add(Add{}, {x, second}, name);
  const Value shortcut = conv1x1(g, name + ".shortcut", g.add(AvgPool{}, {first}, name + ".pool"), width);
  return g.add(Add{}, {shortcut, second}, name);
}

void check(const ClassifierConfig& config) {
  const auto& size = config.sample_size;
  const int halvings = int(config.widths.size()) - 1;
  if (config.widths.empty() || config.blocks < 1 || config.channels < 1 || config.groups < 1 ||
      std::ranges::any_of(config.widths, [&](int w) { return w < 1 || w % config.groups != 0; }))
    throw Error(
        ErrorKind::usage,
        fmt::format("a classifier needs channels, blocks, and widths that {} groups divide", config.groups));
  if (config.class_names.size() < 2)
    throw Error(ErrorKind::usage, fmt::format("a classifier tells at least 2 classes apart; the data have {}",
                                              config.class_names.size()));
  // Sides stay even until the last halving, so that the mean of 2 x 2 pixels and the strided convolution
  // agree in size.
  if (halvings > 16 || std::min(size[0], size[1]) < 1 || size[0] % (1 << halvings) != 0 ||
      size[1] % (1 << halvings) != 0)
    throw Error(ErrorKind::usage,
                fmt::format("images of {} x {} cannot be halved {} times", size[0], size[1], halvings));
}

}  // namespace

void check_form(const ClassifierConfig& config, const Dataset& data) {
  if (data.count() == 0) throw Error(ErrorKind::usage, fmt::format("{} holds no images", data.name));
  if (data.height != config.sample_size[0] || data.width != config.sample_size[1] ||
      data.channels != config.channels)
    throw Error(ErrorKind::usage,
                fmt::format("the images of {} are {} x {} x {} and those of the feature network {} x {} x {} "
                            "(height, width, channels)",
                            data.name, data.height, data.width, data.channels, config.sample_size[0],
                            config.sample_size[1], config.channels));
}

ClassifierGraph make_classifier_graph(const ClassifierConfig& config, int n) {
  check(config);
  ClassifierGraph net;
  Graph& g = net.graph;
  net.sample = g.input("sample", {n, config.channels, config.sample_size[0], config.sample_size[1]});
  Value x = conv3x3(g, "stem", net.sample, config.widths.front());
  for (std::size_t stage = 1; stage < config.widths.size(); ++stage)
    for (int i = 0; i < config.blocks; ++i)
      x = block(g, fmt::format("stages.{}.{}", stage - 1, i), x, config.widths[stage], i == 0, config.groups);
  net.feature_maps = normalized(g, "norm", x, config.groups);
  net.logit_maps = pointwise(g, kHead, net.feature_maps, int(config.class_names.size()));
  return net;
}

Classifier make_classifier(const ClassifierConfig& config, std::uint64_t seed) {
  Classifier classifier{config, ParamStore(ParamLayout(make_classifier_graph(config, 1).graph))};
  classifier.params.initialize(seed);
  return classifier;
}

Extracted extract_features(Classifier& classifier, const Dataset& data, const Device& device,
                           const std::function<void(double share)>& progress) {
  check_form(classifier.config, data);
  constexpr int kBatch = 100;
  const int batch = std::min(kBatch, data.count());
  const ClassifierGraph net = make_classifier_graph(classifier.config, batch);
  Plan plan(net.graph, net.feature_maps, device, Mode::inference, classifier.params);
  const Shape& shape = net.graph.shape(net.feature_maps);
  const auto pixels = std::size_t(shape.pixels()), width = std::size_t(shape.c);
  Extracted result{{data.count(), int(width), {}}, {}};
  std::vector<float> images(std::size_t(net.graph.shape(net.sample).elements())),
      maps(std::size_t(shape.elements()));
  const std::size_t image_size = images.size() / std::size_t(batch),
                    area = image_size / std::size_t(data.channels);
  for (int first = 0; first < data.count(); first += batch) {
    const int count =
        std::min(batch, data.count() - first);  // what is left of an earlier batch fills the last
    for (int i = 0; i < count; ++i) {
      const std::span<const std::uint8_t> bytes = data.image(first + i);
      for (std::size_t b = 0; b < bytes.size(); ++b)
        images[std::size_t(i) * image_size + b % std::size_t(data.channels) * area +
               b / std::size_t(data.channels)] = float(bytes[b]) / 127.5f - 1.0f;
    }
    plan.write_input(net.sample, images);
    plan.forward();
    plan.read_output(maps);
    const std::vector<float> features = means_over_pixels(maps, pixels);
    for (std::size_t i = 0; i < std::size_t(count); ++i) {
      const auto row = std::span(features).subspan(i * width, width);
      result.features.values.insert(result.features.values.end(), row.begin(), row.end());
      result.predicted.push_back(index_of_largest(logits_of(classifier, row)));
    }
    if (progress) progress(double(first + count) / data.count());
  }
  return result;
}

std::vector<float> logits_of(const Classifier& classifier, std::span<const float> features) {
  const ParamLayout& layout = classifier.params.layout();
  const std::span<const float> weight =
                                   classifier.params.values(*layout.find(kHead + std::string(".weight"))),
                               bias = classifier.params.values(*layout.find(kHead + std::string(".bias")));
  std::vector<float> logits(bias.begin(), bias.end());
  for (std::size_t k = 0; k < logits.size(); ++k)
    logits[k] = std::inner_product(features.begin(), features.end(),
                                   weight.begin() + std::ptrdiff_t(k * features.size()), bias[k]);
  return logits;
}

double accuracy(const std::vector<int>& predicted, const Dataset& data) {
  if (data.labels.empty() || predicted.size() != std::size_t(data.count()))
    throw Error(ErrorKind::internal, "an accuracy needs a label for each prediction");
  int right = 0;
  for (int i = 0; i < data.count(); ++i)
    right += data.labels[std::size_t(i)] == predicted[std::size_t(i)] ? 1 : 0;
  return double(right) / data.count();
}

}  // namespace diffusion
