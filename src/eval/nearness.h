#pragma once

// Whether drawings for words are near the real pictures with these words, or near training pictures, in
// pixels and in features.

#include <optional>

#include <diffusion/dataset.h>
#include "eval/evaluation_watch.h"
#include "eval/features.h"

namespace diffusion {

// How near drawings are to real pictures. Distances are those of eval/nearest.h.
struct Nearness {
  double own = 0;              // share of drawings whose nearest real picture of all has the words asked for
  double median_own = 0;       // of the distances to the nearest real picture with these words
  double median_training = 0;  // of the distances to the nearest training picture
  double closest = 0;          // the smallest of these
  // Of words that are held out, the measure of copies: the real pictures with these words, as drawings.
  std::optional<double> median_of_real = {};  // of their distances to the nearest training picture
  // Share of drawings that are nearer to a training picture than every real picture with these words is.
  std::optional<double> nearer = {};
};

// Images and their features, both of which must outlive this. Labels are the words, as classes.
struct PicturesAndFeatures {
  const Dataset& images;
  const FeatureSet& features;
};

struct RealPictures {
  PicturesAndFeatures training;
  std::optional<PicturesAndFeatures> held_out;
  PicturesAndFeatures asked;  // those of the words that were asked for, at least one of each
  bool asked_are_held_out = false;
};

Nearness nearness_in_pixels(const PicturesAndFeatures& drawings, const RealPictures& real,
                            const EvaluationWatch& watch = {});
Nearness nearness_in_features(const PicturesAndFeatures& drawings, const RealPictures& real);

}  // namespace diffusion
