#include "cli/commands/eval_measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/progress.h"
#include "cli/commands/eval_features.h"
#include "cli/output/neighbor_sheet.h"
#include "cli/output/picture_output.h"
#include "eval/class_parts.h"
#include "eval/nearest.h"

namespace diffusion {

namespace {

// Scores of so many samples are reported, too, where there are more: what others have published is often of
// few.
constexpr int kFewer = 2048;
constexpr int kNeighbors = 5;  // of a sample in the picture

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
                                           const RealFeatures& real, bool quiet) {
  std::vector<FeatureSet> sets{generated};
  if (generated.count > kFewer) sets.push_back(fewer_samples(generated, samples));
  Progress progress("scores", 0, quiet);  // of many features they take minutes
  std::vector<EvalReport::AtCount> counts;
  for (const FeatureSet& set : sets) {
    const double done = double(counts.size());
    progress.update(done / double(sets.size()), fmt::format("of {} samples", set.count));
    Evaluation scores = evaluate(set, real.images.features);
    progress.update((done + 0.5) / double(sets.size()), "real against real");
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

Neighbors in_pixels(const Dataset& images, const Dataset& among, int k, const char* what, bool quiet) {
  Progress progress(what, images.count(), quiet, "images");
  return nearest_in_pixels(images, among, k, [&](double share) { progress.update(share); });
}

// Looks for copies of training images where it is known which these are, and draws --neighbors.
std::optional<EvalReport::Copies> look_for_copies(const EvalOptions& o, const Dataset& samples,
                                                  const FeatureSet& features, const RealSets& sets,
                                                  const RealFeatures& real) {
  const Dataset* training = sets.training();
  if (!training && o.neighbors.empty()) return std::nullopt;
  const Dataset& searched = training ? *training : sets.images;
  const bool others_are_searched = training && !sets.images_are_for_training;
  const FeatureSet& searched_features = others_are_searched ? real.others->features : real.images.features;
  const int k = std::min(kNeighbors, searched.count());
  const Neighbors pixels = in_pixels(samples, searched, k, "neighbors of samples", o.quiet),
                  close_features = nearest_in_features(features, searched_features, k);
  std::string headline =
      fmt::format("{}: the images of {} that are nearest to samples", o.model + o.samples, searched.name);
  std::optional<EvalReport::Copies> copies;
  if (training) {
    const Dataset& test = sets.test();
    const FeatureSet& test_features = others_are_searched ? real.images.features : real.others->features;
    const Neighbors test_pixels = in_pixels(test, searched, 1, "neighbors of test images", o.quiet),
                    test_close = nearest_in_features(test_features, searched_features, 1);
    copies = {memorization(pixels.nearest_distances(), test_pixels.nearest_distances()),
              memorization(close_features.nearest_distances(), test_close.nearest_distances()), test.count(),
              searched.count()};
    headline +=
        fmt::format("; of test images {}% are nearer than {:.0f} (pixels), {:.3g} (features)",
                    100 * kSuspectQuantile, copies->pixels.test_quantile, copies->features.test_quantile);
  }
  if (!o.neighbors.empty())
    write_picture(parse_output(o.neighbors),
                  draw_neighbors({samples, searched, pixels, close_features, headline}));
  return copies;
}

ClassificationScore classify(const EvalOptions& o, const ClassifierConfig& config, const Dataset& samples,
                             const RealSets& sets) {
  const Dataset& real = sets.training() ? *sets.training() : sets.images;
  const std::unique_ptr<Device> device = make_device(o.machine);
  Progress progress("classification-score", 0, o.quiet);
  return classification_score(config, samples, sets.test(),
                              classification_training(samples.count(), real.count()), *device,
                              [&](const ClassifierStep& step) {
                                progress.update(double(step.step) / double(step.steps),
                                                fmt::format("step {}/{}", step.step, step.steps));
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

EvalReport measure(const EvalOptions& o, EvalNetwork& net, const Samples& samples, const RealSets& sets) {
  const ClassifierConfig* classifier = classifier_of(net);
  if (!classifier) check_same_form(samples.images, sets.images);
  EvalReport report{.samples = o.model + o.samples,
                    .data = sets.images.name,
                    .network = std::string(name_of(net)),
                    .features_sha256 = sha256_of(net),
                    .steps = samples.steps,
                    .sampler = samples.sampler};
  // First, because it says at once if a class is missing.
  if (classifier && o.classification_score)
    report.classification = classify(o, *classifier, samples.images, sets);
  set_threads(o.machine.threads);
  Extractor extractor(net, o.quiet);
  const Extracted generated = extractor.of(samples.images, "features of samples");
  const RealFeatures real(sets, extractor);

  report.feature_width = generated.features.width;
  report.counts = scores_of(generated.features, samples.images, real, o.quiet);
  report.copies = look_for_copies(o, samples.images, generated.features, sets, real);
  report.classes = class_scores(samples.images, generated, real);
  if (classifier && !sets.test().labels.empty())
    report.network_accuracy =
        accuracy(sets.images_are_for_training && real.others ? real.others->predicted : real.images.predicted,
                 sets.test());
  return report;
}

}  // namespace diffusion
