#pragma once

// A small residual classifier for pictures of 8 x 8 to some 64 x 64 pixels. What its last layer sees,
// averaged over the picture, are the features in which sets of pictures are compared (docs/evaluation.md).

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <diffusion/dataset.h>
#include "device/device.h"
#include "eval/features.h"
#include "graph/graph.h"
#include "plan/param_store.h"

namespace diffusion {

// A 3 x 3 convolution, then for each further width a stage at half the size: pre-activation residual blocks
// (He et al. 2016, arXiv 1603.05027) with group normalization and SiLU, the first of which halves; then
// normalization, SiLU, and the mean over the pixels, which are the features. A linear layer makes logits of
// them.
struct ClassifierConfig {
  std::array<int, 2> sample_size{28, 28};  // height, width
  int channels = 1;
  std::vector<std::string> class_names = {};
  std::vector<int> widths{32, 64, 128};
  int blocks = 2;  // of a stage
  int groups = 8;  // divides every width

  int feature_width() const { return widths.back(); }
  bool operator==(const ClassifierConfig&) const = default;
};

struct ClassifierGraph {
  Graph graph;
  Value sample;        // [N, channels, H, W] in [-1, 1]
  Value feature_maps;  // [N, feature_width, h, w]; their means are the features
  Value
      logit_maps;  // [N, classes, h, w]; a linear function of the feature maps, so their means are the logits
};

// Error(usage) if the config does not make a network: no widths, fewer than two classes, images too small to
// be halved so often.
ClassifierGraph make_classifier_graph(const ClassifierConfig& config, int n);

struct Classifier {
  ClassifierConfig config;
  ParamStore params;
};

// Error(usage) unless the images of `data` have the form that the config is for.
void check_form(const ClassifierConfig& config, const Dataset& data);

Classifier make_classifier(const ClassifierConfig& config, std::uint64_t seed);

struct Extracted {
  FeatureSet features;
  std::vector<int> predicted;  // the class of the largest logit, for each image
};

// Of all images, which must have the form of the config: Error(usage). Features for comparisons are to be
// computed in f32.
Extracted extract_features(Classifier& classifier, const Dataset& data, const Device& device,
                           const std::function<void(double share)>& progress = {});

// The logits of an image from its features, in the order of the classes.
std::vector<float> logits_of(const Classifier& classifier, std::span<const float> features);

// The share of images whose predicted class is their label.
double accuracy(const std::vector<int>& predicted, const Dataset& data);

}  // namespace diffusion
