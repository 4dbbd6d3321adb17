#include "eval/by_class.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include <diffusion/error.h>
#include "eval/frechet.h"
#include "eval/prdc.h"

namespace diffusion {

namespace {

// The rows of each class.
std::vector<FeatureSet> split(const LabeledFeatures& set, int classes) {
  if (set.labels.size() != std::size_t(set.features.count))
    throw Error(ErrorKind::usage, fmt::format("{} images have {} labels; each needs one", set.features.count,
                                              set.labels.size()));
  std::vector<FeatureSet> parts(std::size_t(classes), FeatureSet{0, set.features.width, {}});
  for (int i = 0; i < set.features.count; ++i) {
    const int label = set.labels[std::size_t(i)];
    if (label >= classes)
      throw Error(ErrorKind::usage,
                  fmt::format("image {} is of class {}; accepted are 0 to {}", i, label, classes - 1));
    FeatureSet& part = parts[std::size_t(label)];
    const std::span<const float> row = set.features.row(i);
    part.values.insert(part.values.end(), row.begin(), row.end());
    ++part.count;
  }
  return parts;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}

// All but agreement and frechet_of_real.
ClassScores score(const FeatureSet& generated, const FeatureSet& real) {
  ClassScores scores{.generated = generated.count, .real = real.count};
  const int least = std::min(generated.count, real.count), width = real.width;
  const PrdcOptions options;
  const int neighbors = std::max(options.precision_k, options.density_k) + 1;
  if (least >= neighbors) {
    const ImageScores images = score_images(generated, real, options);
    scores.precision = mean(images.precision);
    scores.recall = mean(images.recall);
  }
  if (least > width) scores.frechet = frechet_distance(generated, real);
  if (!scores.frechet)
    scores.missing = fmt::format(
        "{} samples and {} real images; a Frechet distance takes more than {} of each{}", generated.count,
        real.count, width, scores.precision ? "" : fmt::format(", precision and recall {}", neighbors));
  return scores;
}

}  // namespace

std::vector<ClassScores> score_classes(const LabeledFeatures& generated, std::span<const int> predicted,
                                       const LabeledFeatures* real, const LabeledFeatures* others,
                                       int classes, std::uint64_t seed) {
  if (!predicted.empty() && predicted.size() != generated.labels.size())
    throw Error(ErrorKind::usage, fmt::format("{} images have {} predicted classes; each needs one",
                                              generated.labels.size(), predicted.size()));
  const std::vector<FeatureSet> samples = split(generated, classes);
  std::vector<FeatureSet> real_parts, other_parts;
  if (real) real_parts = split(*real, classes);
  if (others) other_parts = split(*others, classes);
  std::vector<ClassScores> result;
  for (std::size_t k = 0; k < samples.size(); ++k) {
    const int count = samples[k].count;
    ClassScores scores;
    if (real)
      scores = score(samples[k], real_parts[k]);
    else
      scores = {.generated = count, .missing = "the classes of the real images are not known"};
    if (scores.frechet && others && other_parts[k].count >= count)
      scores.frechet_of_real = frechet_distance(random_part(other_parts[k], count, 0, seed), real_parts[k]);
    result.push_back(std::move(scores));
  }
  if (predicted.empty()) return result;
  std::vector<int> agreed(result.size());
  for (std::size_t i = 0; i < predicted.size(); ++i)
    if (predicted[i] == int(generated.labels[i])) ++agreed[generated.labels[i]];
  for (std::size_t k = 0; k < result.size(); ++k)
    result[k].agreement = result[k].generated > 0 ? double(agreed[k]) / result[k].generated : 0;
  return result;
}

}  // namespace diffusion
