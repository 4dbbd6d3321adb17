#include "eval/caption_network.h"

#include "eval/image_sets.h"

namespace diffusion {

ClassifierConfig caption_config(const Dataset& data) {
  return {{data.height, data.width}, data.channels, data.class_names, {16, 32, 64, 128}};
}

ClassifierTraining caption_training() {
  return {.epochs = 150, .learning_rate = 6e-3, .shift = 0, .flip = false, .views = PictureViews{}};
}

CaptionTest test_caption_network(Classifier& classifier, const Dataset& data, const Device& device,
                                 const ClassifierTraining& training) {
  const auto recognized = [&](const Dataset& images) {
    const Extracted extracted = extract_features(classifier, images, device);
    return retrieval(places_of_asked(classifier, extracted.features, images.labels), images.count());
  };
  // Another seed than the training's has other views.
  const PictureViews views = training.views.value_or(PictureViews{});
  return {recognized(data), recognized(views_of(data, views, training.seed + 1)),
          recognized(resized(resized(data, data.height / 2, data.width / 2), data.height, data.width))};
}

}  // namespace diffusion
