#pragma once

// Whether a network recognizes in a picture what was asked for, among everything that it knows.

#include <cstdint>
#include <span>
#include <vector>

#include <diffusion/evaluate.h>
#include "eval/classifier.h"

namespace diffusion {

// The place of the class asked for among the logits of each image, from 1: one more than the classes that are
// as likely or likelier. asked: [N], N the rows of `features`, which are the classifier's. Error(usage) as
// check_features(), Error(internal) for sizes that do not fit.
std::vector<int> places_of_asked(const Classifier& classifier, const FeatureSet& features,
                                 std::span<const std::uint16_t> asked);

// The same by the nearest real pictures in features: one more than the other classes of which a real picture
// is as near as the nearest one of the class asked for, or nearer. What a network needs to know is then only
// what is alike. labels: the classes of the rows of `real`, among them all that are asked for. Errors
// likewise.
std::vector<int> places_of_nearest(const FeatureSet& features, std::span<const std::uint16_t> asked,
                                   const FeatureSet& real, std::span<const std::uint16_t> labels);

// Recall: the share of images with what was asked for in first place, and among the first five.
struct Retrieval {
  Score at_1, at_5;
};

// places: [N]. The interval is that of a share of so many independent trials (Wilson 1927), which says
// something where all or none succeed, too: of `trials`, which are fewer than N where there are several
// images for the same words. Error(usage) for none.
Retrieval retrieval(std::span<const int> places, int trials);

}  // namespace diffusion
