#pragma once

// Scores of each class alone: a model may be good on the whole and bad at one class.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eval/class_parts.h"

namespace diffusion {

// Of the samples and the real images of one class. Scores are none where there are too few images for them,
// and `missing` says so; they depend on the number of images.
struct ClassScores {
  int generated = 0, real = 0;           // images; real: 0 if the classes of real images are not known
  std::optional<double> agreement = {};  // share of the samples that the feature network takes for this class
  std::optional<double> precision = {}, recall = {};  // k = 3, see prdc.h
  std::optional<double> frechet = {};  // from more images than features, else a covariance is singular
  std::optional<double> frechet_of_real = {};  // the same of `generated` others that are real
  std::string missing = {};
};

// One for each class, the whole of which has no sample too. `predicted`: the class of each sample in the eyes
// of the feature network; empty if that knows no classes, and then there is no agreement. `real` and
// `others`, real images apart from those (for frechet_of_real, chosen by `seed`), may be null. Error(usage)
// unless there is a label below `classes` for each row.
std::vector<ClassScores> score_classes(const LabeledFeatures& generated, std::span<const int> predicted,
                                       const LabeledFeatures* real, const LabeledFeatures* others,
                                       int classes, std::uint64_t seed);

}  // namespace diffusion
