#pragma once

// The protocol of an evaluation: what is measured on which images, in docs/evaluation.md's words.

#include <optional>
#include <string>
#include <vector>

#include "device/device.h"
#include "diffusion/model.h"
#include "eval/by_class.h"
#include "eval/classification_score.h"
#include "eval/evaluation.h"
#include "eval/evaluation_sets.h"
#include "eval/feature_network.h"
#include "eval/likelihood.h"
#include "eval/memorization.h"
#include "eval/sound_evaluation.h"

namespace diffusion {

struct EvalRequest {
  std::string samples;  // what to call them in the report
  bool classification_score = false;
  bool neighbors = false;  // also where nobody knows what the model was trained on
};

// What an evaluation found.
struct EvalReport {
  std::string samples, data;
  std::string network, features_sha256;  // network: "classifier" or "inception-v3"
  int feature_width = 0;
  int steps = 0;  // 0: samples that were made already
  std::string sampler = {};

  struct AtCount {
    Evaluation scores, floor;  // floor: real against real
  };
  std::vector<AtCount> counts = {};  // of all samples, then of fewer

  // In pixels and in features; none without a training set.
  struct Copies {
    Memorization pixels, features;
    int test_images = 0, training_images = 0;
  };
  std::optional<Copies> copies = {};
  // Of each sample in RealSets::searched(), if copies were looked for or neighbors asked for.
  struct Nearest {
    Neighbors pixels, features;
  };
  std::optional<Nearest> nearest = {};

  // None if nobody knows of which class each sample was to be.
  struct Classes {
    std::vector<std::string> names;
    std::optional<double> agreement;  // none if the feature network knows no classes
    std::vector<ClassScores> scores;
  };
  std::optional<Classes> classes = {};
  std::optional<double> network_accuracy =
      {};  // of the feature network on the real test images, if these have labels
  std::optional<ClassificationScore> classification = {};
  std::optional<BitsPerDimension> bits = {};
  std::optional<SoundReport> sound = {};  // of a model of sound
};

// Error(usage) if a classification score cannot be had: the network is no classifier, the real images have no
// labels, or `model`, if there is one, has other classes than the network. Call it before samples are made.
void check_classification(const EvalNetwork& net, const RealSets& real, const Model* model);

// All scores but bits per dimension, see evaluate_likelihood(). `training` is the device on which the
// classifier of the classification score learns; features are computed in f32. Error(usage) for images of
// different forms, and for a classification score of samples without labels.
EvalReport measure(const EvalRequest& request, EvalNetwork& net, const Samples& samples, const RealSets& sets,
                   const Device& training, const EvaluationWatch& watch = {});

// Of `images` of `data` at random, of all if there are fewer. `device` should compute in f32.
BitsPerDimension evaluate_likelihood(Model& model, const Dataset& data, int images, const Device& device,
                                     const EvaluationWatch& watch = {});

}  // namespace diffusion
