#pragma once

// What attacks work on: pictures of a data set as numbers.

#include <functional>
#include <span>
#include <vector>

#include <diffusion/dataset.h>
#include <diffusion/robustness.h>
#include "eval/classifier_files.h"

namespace diffusion {

// Some pictures of a data set.
struct AttackedPictures {
  std::vector<int> numbers;  // which
  std::vector<double> x;     // [N, C, H, W] in [-1, 1]
  std::vector<int> labels;
};

AttackedPictures pictures_of(const Dataset& data, std::span<const int> numbers);

// Calls act(pictures, done) for `batch` of these pictures after the other, `done` having been before.
void for_each_batch(const Dataset& data, std::span<const int> numbers, int batch,
                    const std::function<void(const AttackedPictures& pictures, int done)>& act);

// The data with the labels of the classifier. Error(usage) for data without labels, with other classes, or of
// another form.
Dataset labeled_for(const ClassifierConfig& classifier, Dataset data);

}  // namespace diffusion
