#include "eval/protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <diffusion/error.h>
#include "eval/class_parts.h"
#include "eval/image_sets.h"
#include "eval/nearest.h"

namespace diffusion {

namespace {

// Scores of so many samples are reported, too, where there are more: what others have published is often of
// few.
constexpr int kFewer = 2048;
constexpr int kNeighbors = 5;  // of a sample

// Features of all real images, with their classes if these are known.
struct RealFeatures {
  Extracted images;
  std::optional<Extracted> others;
  std::optional<LabeledFeatures> labeled_images, labeled_others;
  int classes;

  RealFeatures(const RealSets& sets, Extractor& extractor)
      : images(extractor.of_real(sets.images, "features of real images")),
        classes(int(sets.images.class_names.size())) {
    if (sets.others) others = extractor.of_real(*sets.others, "features of other real images");
    if (!sets.images.labels.empty())
      labeled_images.emplace(LabeledFeatures{images.features, sets.images.labels});
    if (others && !sets.others->labels.empty())
      labeled_others.emplace(LabeledFeatures{others->features, sets.others->labels});
  }
  RealFeatures(const RealFeatures&) = delete;
  RealFeatures& operator=(const RealFeatures&) = delete;
};

// Real images against real ones, as many as there are samples. Where classes are known, as many of each as
// the set that is compared with has: luck with them would say nothing about samples.
Evaluation floor_of(int samples, const RealFeatures& real) {
  const FeatureSet& images = real.images.features;
  if (!real.others) {
    const int half = std::min(samples, images.count / 2);
    return evaluate(random_part(images, half, 0, 1), random_part(images, half, 1, 1));
  }
  const FeatureSet& others = real.others->features;
  const int count = std::min(samples, others.count);
  std::optional<FeatureSet> part;
  if (real.labeled_images && real.labeled_others)
    part = part_with_classes(*real.labeled_others,
                             class_quotas(real.labeled_images->labels, real.classes, count), 1);
  return evaluate(part ? *part : random_part(others, count, 0, 1), images);
}

// A part of them with classes in the same proportions if they are known: of a model's samples the first ones.
FeatureSet fewer_samples(const FeatureSet& features, const Dataset& samples) {
  if (samples.labels.empty()) return random_part(features, kFewer, 0, 0);
  const auto quotas = class_quotas(samples.labels, int(samples.class_names.size()), kFewer);
  return part_with_classes({features, samples.labels}, quotas, std::nullopt).value();
}

std::vector<EvalReport::AtCount> scores_of(const FeatureSet& generated, const Dataset& samples,
                                           const RealFeatures& real, const EvaluationWatch& watch) {
  std::vector<FeatureSet> sets{generated};
  if (generated.count > kFewer) sets.push_back(fewer_samples(generated, samples));
  const auto show = [&](double done, std::string_view note) {  // of many features they take minutes
    if (watch) watch({"scores", done / double(sets.size()), 0, note});
  };
  std::vector<EvalReport::AtCount> counts;
  for (const FeatureSet& set : sets) {
    const double done = double(counts.size());
    show(done, fmt::format("of {} samples", set.count));
    Evaluation scores = evaluate(set, real.images.features);
    show(done + 0.5, "real against real");
    counts.push_back({std::move(scores), floor_of(set.count, real)});
  }
  return counts;
}

std::optional<EvalReport::Classes> class_scores(const Dataset& samples, const Extracted& extracted,
                                                const RealFeatures& real) {
  if (samples.labels.empty()) return std::nullopt;
  std::optional<double> agreement;
  if (!extracted.predicted.empty()) agreement = accuracy(extracted.predicted, samples);
  return EvalReport::Classes{samples.class_names, agreement,
                             score_classes({extracted.features, samples.labels}, extracted.predicted,
                                           real.labeled_images ? &*real.labeled_images : nullptr,
                                           real.labeled_others ? &*real.labeled_others : nullptr,
                                           int(samples.class_names.size()), 1)};
}

Neighbors in_pixels(const Dataset& images, const Dataset& among, int k, std::string_view part,
                    const EvaluationWatch& watch) {
  return nearest_in_pixels(images, among, k, [&](double share) {
    if (watch) watch({part, share, images.count()});
  });
}

// The neighbors of samples, and whether they are copies, where it is known what are training images.
void look_for_copies(const EvalRequest& request, const Dataset& samples, const FeatureSet& features,
                     const RealSets& sets, const RealFeatures& real, const EvaluationWatch& watch,
                     EvalReport& report) {
  const Dataset* training = sets.training();
  if (!training && !request.neighbors) return;
  const Dataset& searched = sets.searched();
  const bool others_are_searched = training && !sets.images_are_for_training;
  const FeatureSet& searched_features = others_are_searched ? real.others->features : real.images.features;
  const int k = std::min(kNeighbors, searched.count());
  const EvalReport::Nearest& nearest = report.nearest.emplace(
      EvalReport::Nearest{in_pixels(samples, searched, k, "neighbors of samples", watch),
                          nearest_in_features(features, searched_features, k)});
  if (!training) return;
  const Dataset& test = sets.test();
  const FeatureSet& test_features = others_are_searched ? real.images.features : real.others->features;
  const Neighbors test_pixels = in_pixels(test, searched, 1, "neighbors of test images", watch),
                  test_close = nearest_in_features(test_features, searched_features, 1);
  report.copies = {memorization(nearest.pixels.nearest_distances(), test_pixels.nearest_distances()),
                   memorization(nearest.features.nearest_distances(), test_close.nearest_distances()),
                   test.count(), searched.count()};
}

ClassificationScore classify(const ClassifierConfig& config, const Dataset& samples, const RealSets& sets,
                             const Device& device, const EvaluationWatch& watch) {
  if (samples.labels.empty())
    throw Error(ErrorKind::usage,
                fmt::format("a classification score needs samples with the classes of the feature network as "
                            "labels, a folder with a sub-folder for each say; {} has none",
                            samples.name),
                {"classification_score"});
  return classification_score(config, samples, sets.test(),
                              classification_training(samples.count(), sets.searched().count()), device,
                              [&](const ClassifierStep& step) {
                                if (watch)
                                  watch({"classification-score", double(step.step) / double(step.steps), 0,
                                         fmt::format("step {}/{}", step.step, step.steps)});
                              });
}

// A classifier says so itself; Inception-v3 takes images of any size.
void check_same_form(const Dataset& samples, const Dataset& real) {
  if (samples.height == real.height && samples.width == real.width && samples.channels == real.channels)
    return;
  throw Error(ErrorKind::usage,
              fmt::format("the images of {} are {} x {} x {} and those of {} {} x {} x {} (height, width, "
                          "channels); images to compare must agree in them",
                          samples.name, samples.height, samples.width, samples.channels, real.name,
                          real.height, real.width, real.channels));
}

}  // namespace

void check_classification(const EvalNetwork& net, const RealSets& real, const Model* model) {
  const auto refuse = [](const std::string& reason) {
    throw Error(ErrorKind::usage, "a classification score needs " + reason, {"classification_score"});
  };
  const ClassifierConfig* classifier = classifier_of(net);
  if (!classifier)
    refuse("a feature network that is a classifier of the data (diffusion train-features), not Inception-v3");
  if (real.test().labels.empty())
    refuse(fmt::format("real images with the classes of the feature network as labels; {} has none",
                       real.test().name));
  if (model && !class_numbers(model->class_names, classifier->class_names))
    refuse(
        "a model of the classes of the feature network; this one is not class-conditional, or its classes "
        "have other names");
}

EvalReport measure(const EvalRequest& request, EvalNetwork& net, const Samples& samples, const RealSets& sets,
                   const Device& training, const EvaluationWatch& watch) {
  const ClassifierConfig* classifier = classifier_of(net);
  if (!classifier) check_same_form(samples.images, sets.images);
  EvalReport report{.samples = request.samples,
                    .data = sets.images.name,
                    .network = std::string(name_of(net)),
                    .features_sha256 = sha256_of(net),
                    .steps = samples.steps,
                    .sampler = samples.sampler};
  // First, because it says at once if a class is missing.
  if (classifier && request.classification_score)
    report.classification = classify(*classifier, samples.images, sets, training, watch);
  Extractor extractor(net, watch);
  const Extracted generated = extractor.of(samples.images, "features of samples");
  const RealFeatures real(sets, extractor);

  report.feature_width = generated.features.width;
  report.counts = scores_of(generated.features, samples.images, real, watch);
  look_for_copies(request, samples.images, generated.features, sets, real, watch, report);
  report.classes = class_scores(samples.images, generated, real);
  if (classifier && !sets.test().labels.empty())
    report.network_accuracy =
        accuracy(sets.images_are_for_training && real.others ? real.others->predicted : real.images.predicted,
                 sets.test());
  return report;
}

BitsPerDimension evaluate_likelihood(Model& model, const Dataset& data, int images, const Device& device,
                                     const EvaluationWatch& watch) {
  const int count = std::min(images, data.count());
  return bits_per_dimension(model, random_images(data, count, 0), device, {}, [&](double share) {
    if (watch) watch({"bits per dimension", share, count});
  });
}

}  // namespace diffusion
