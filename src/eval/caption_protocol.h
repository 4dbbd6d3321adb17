#pragma once

// The protocol of an evaluation of a model of words, in docs/evaluation.md's words.

#include <optional>
#include <string>

#include "eval/caption_sets.h"
#include "eval/feature_network.h"
#include "eval/nearness.h"
#include "eval/retrieval.h"

namespace diffusion {

// Of the training captions, or of those that are held out.
struct CaptionScores {
  int captions = 0, pictures = 0;
  // Of the drawings, and of the real pictures with the same words: what the network says, and
  Retrieval drawn = {}, real = {};
  Retrieval drawn_nearest = {};  // by the nearest of all real pictures in its features
  // Of held-out words: at most, without knowing words, see below.
  std::optional<Retrieval> by_caption = {}, by_caption_nearest = {};
  // Of the drawings from the real pictures with these words, and of real pictures from others, `floor_images`
  // of each. None for fewer than two.
  std::optional<Score> frechet = {};
  double frechet_of_real = 0;
  int floor_images = 0;
  Nearness pixels = {}, features = {};
};

struct CaptionEvaluation {
  std::string samples, data, features_sha256;
  int classes = 0;  // captions that the network knows
  int feature_width = 0, steps = 0;
  std::string sampler = {};
  CaptionScores training = {};
  std::optional<CaptionScores> held_out = {};  // none: no words are held out
};

// The network as a judge of words. Error(usage) for Inception-v3.
const ClassifierConfig& judge_of(const EvalNetwork& net);

// `drawings` are of asked_of_pictures(asked, per_caption), of the size of the real pictures, and brought to
// that of the network like these. `seed` decides between training captions that are equally alike.
// CaptionScores::by_caption is of a model with one class for each training caption that draws the training
// pictures perfectly, and a held-out caption as the training picture whose caption has most words in common
// with it. Error(usage) for drawings of another form or number.
CaptionEvaluation measure_captions(EvalNetwork& net, const Dataset& drawings, const AskedCaptions& asked,
                                   int per_caption, const CaptionSets& sets, std::uint64_t seed,
                                   const EvaluationWatch& watch = {});

}  // namespace diffusion
