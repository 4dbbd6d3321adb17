#pragma once

// The classification accuracy score (Ravuri & Vinyals 2019, arXiv 1905.10887): a classifier learns from
// samples, with the classes that were asked for as labels, and is tested on real images. What samples lack (a
// class, its variety, the right class), the classifier does not learn.

#include <cstdint>
#include <functional>

#include <diffusion/dataset.h>
#include "device/device.h"
#include "eval/bootstrap.h"
#include "eval/classifier_training.h"

namespace diffusion {

// As a feature network is trained by default on `real_images`, in as many steps on `samples` images: a
// smaller set does not lose for want of steps.
ClassifierTraining classification_training(int samples, int real_images);

struct ClassificationScore {
  Score accuracy;  // on the test images; with the interval of the mean over them
  std::int64_t steps = 0;
};

// Trains a classifier of this architecture, from new weights, on `device`, and tests it in f32. Error(usage)
// if samples or test images have other labels than the architecture, or no sample is of some class.
ClassificationScore classification_score(const ClassifierConfig& config, const Dataset& samples,
                                         const Dataset& test, const ClassifierTraining& training,
                                         const Device& device,
                                         const std::function<void(const ClassifierStep&)>& on_step = {});

}  // namespace diffusion
