#include "eval/classification_score.h"

#include <fmt/format.h>

#include <memory>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>

namespace diffusion {

namespace {

constexpr int kResamples = 100;

void check_every_class(const Dataset& samples) {
  std::vector<bool> seen(samples.class_names.size());
  for (const std::uint16_t label : samples.labels) seen[label] = true;
  for (std::size_t k = 0; k < seen.size(); ++k)
    if (!seen[k])
      throw Error(
          ErrorKind::usage,
          fmt::format("no sample of {} is of class {}; a classifier that learns from samples needs all "
                      "{} classes",
                      samples.name, samples.class_names[k], seen.size()));
}

}  // namespace

ClassifierTraining classification_training(int samples, int real_images) {
  ClassifierTraining training;
  training.epochs *= double(real_images) / samples;
  return training;
}

ClassificationScore classification_score(const ClassifierConfig& config, const Dataset& samples,
                                         const Dataset& test, const ClassifierTraining& training,
                                         const Device& device,
                                         const std::function<void(const ClassifierStep&)>& on_step) {
  for (const Dataset* data : {&samples, &test})
    if (data->labels.empty() || data->class_names != config.class_names)
      throw Error(ErrorKind::usage,
                  fmt::format("{} does not have the {} classes of the feature network as labels", data->name,
                              config.class_names.size()));
  check_every_class(samples);
  Classifier classifier = make_classifier(config, training.seed);
  ClassificationScore score;
  train_classifier(classifier, samples, device, training, [&](const ClassifierStep& step) {
    score.steps = step.steps;
    if (on_step) on_step(step);
  });
  const auto exact = make_cpu_device(Precision::f32);
  const std::vector<int> predicted = extract_features(classifier, test, *exact).predicted;
  std::vector<double> right;
  for (std::size_t i = 0; i < predicted.size(); ++i) right.push_back(predicted[i] == test.labels[i] ? 1 : 0);
  score.accuracy = bootstrap_mean(right, kResamples, training.seed);
  return score;
}

}  // namespace diffusion
