#pragma once

// A network that says which words a picture was made for, of which it has seen but one picture or a few: the
// judge of models of words.

#include <cstdint>

#include "eval/classifier_training.h"
#include "eval/retrieval.h"

namespace diffusion {

// For images with their words as classes (with_caption_classes()), with one stage more than other feature
// networks have.
ClassifierConfig caption_config(const Dataset& data);

// Views of the pictures; nothing is mirrored.
ClassifierTraining caption_training();

// How well it recognizes what it was trained on.
struct CaptionTest {
  Retrieval pictures;   // as they are
  Retrieval new_views;  // views as in training, but none of these
  Retrieval half_size;  // the pictures at half their sides and back: blurred
};

// `data` are those of the training, `training` its options. `device` should compute in f32.
CaptionTest test_caption_network(Classifier& classifier, const Dataset& data, const Device& device,
                                 const ClassifierTraining& training);

}  // namespace diffusion
