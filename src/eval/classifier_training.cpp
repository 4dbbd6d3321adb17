#include "eval/classifier_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <utility>

#include <diffusion/error.h>
#include "eval/cross_entropy.h"
#include "eval/feature_maps.h"
#include "train/learner.h"

namespace diffusion {

namespace {

// With a border of zeros, and a window of the old size to be found at random in it.
Dataset bordered(const Dataset& data, int border) {
  const int height = data.height + 2 * border, width = data.width + 2 * border;
  const std::size_t row = std::size_t(data.width) * std::size_t(data.channels),
                    wide_row = std::size_t(width) * std::size_t(data.channels);
  std::vector<std::uint8_t> pixels(std::size_t(data.count()) * std::size_t(height) * wide_row);
  for (int i = 0; i < data.count(); ++i)
    for (int y = 0; y < data.height; ++y) {
      const std::size_t to = (std::size_t(i) * std::size_t(height) + std::size_t(y + border)) * wide_row +
                             std::size_t(border * data.channels);
      std::ranges::copy(data.image(i).subspan(std::size_t(y) * row, row),
                        pixels.begin() + std::ptrdiff_t(to));
    }
  Dataset result{data.name, height, width, data.channels, std::move(pixels), data.labels, data.class_names};
  result.margin = {2 * border, 2 * border};
  return result;
}

double learning_rate_at(const ClassifierTraining& options, std::int64_t step, std::int64_t steps) {
  const double share = double(step) / double(steps);
  constexpr double kWarmup = 0.05;
  if (share < kWarmup) return options.learning_rate * share / kWarmup;
  return options.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * (share - kWarmup) / (1 - kWarmup)));
}

}  // namespace

ClassificationTask::ClassificationTask(const ClassifierConfig& config, const LearnedParams& params,
                                       const BatchStream& batches, const Device& device,
                                       const ClassifierTraining& options)
    : batches_(batches),
      options_(options),
      net_(make_classifier_graph(config, options.batch)),
      plan_(net_.graph, net_.logit_maps, device, Mode::training, params),
      pixels_(std::size_t(net_.graph.shape(net_.logit_maps).pixels())),
      images_(std::size_t(options.batch) * batches.example_size()),
      maps_(std::size_t(net_.graph.shape(net_.logit_maps).elements())),
      map_grad_(maps_.size()),
      labels_(std::size_t(options.batch)) {}

void ClassificationTask::make(std::uint32_t step, const SampleRange& range, double /*progress*/) {
  if (range.count != batch()) throw Error(ErrorKind::internal, "a classifier learns from whole batches");
  batches_.batch(step, images_, labels_);
  if (!options_.views) return;
  const Shape& shape = net_.graph.shape(net_.sample);
  const std::size_t size = batches_.example_size();
  for (std::size_t i = 0; i < labels_.size(); ++i)
    make_view(*options_.views, {options_.seed, Stream::transform, std::uint32_t(i), step},
              {int(shape.c), int(shape.h), int(shape.w)}, std::span(images_).subspan(i * size, size));
}

double ClassificationTask::loss(const SampleRange& /*whole*/, const RunContext& context) {
  plan_.write_input(net_.sample, images_);
  plan_.forward(context);
  plan_.read_output(maps_);
  logits_ = means_over_pixels(maps_, pixels_);
  std::vector<float> grad(logits_.size());
  const double loss = cross_entropy_and_grad(logits_, labels_, options_.label_smoothing, grad);
  spread_over_pixels(grad, pixels_, map_grad_);
  return loss;
}

void ClassificationTask::backward(const RunContext& context) {
  plan_.backward(map_grad_, context);
}

double ClassificationTask::accuracy() const {
  const std::size_t classes = logits_.size() / labels_.size();
  int right = 0;
  for (std::size_t i = 0; i < labels_.size(); ++i)
    right += index_of_largest(std::span(logits_).subspan(i * classes, classes)) == labels_[i] ? 1 : 0;
  return double(right) / batch();
}

void train_classifier(Classifier& classifier, const Dataset& data, const Device& device,
                      const ClassifierTraining& options,
                      const std::function<void(const ClassifierStep&)>& on_step) {
  check_form(classifier.config, data);
  if (data.labels.empty() || data.class_names != classifier.config.class_names)
    throw Error(ErrorKind::usage,
                fmt::format("{} does not have the labels that the classifier is for", data.name));
  if (!(options.epochs > 0) || options.batch < 1 || options.shift < 0)
    throw Error(ErrorKind::usage, "training a classifier needs epochs, a batch, and a shift of 0 or more");
  const Dataset shifted = bordered(data, options.shift);
  const BatchStream batches(shifted, options.seed, {.size = options.batch, .flip = options.flip});
  const std::int64_t steps = batches.steps_of(options.epochs);

  LearnedParams params(classifier.params, device);
  ClassificationTask task(classifier.config, params, batches, device, options);
  Learner learner(params, device, {.optimizer = {.beta2 = 0.99, .weight_decay = options.weight_decay}});
  for (std::int64_t step = 1; step <= steps; ++step) {
    const LearnedStep learned = learner.step(task, step - 1, learning_rate_at(options, step, steps),
                                             double(step - 1) / double(steps));
    if (!learned.finite())
      throw Error(ErrorKind::non_finite,
                  fmt::format("the classifier's loss is {} and its gradient {} at step {}; try a smaller "
                              "learning rate",
                              learned.loss, learned.gradient_norm, step));
    if (on_step) on_step({step, steps, learned.loss, task.accuracy()});
  }
  params.download();
}

}  // namespace diffusion
