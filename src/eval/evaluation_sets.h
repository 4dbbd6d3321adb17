#pragma once

// The two sides of an evaluation: samples, and the real images that they are compared with.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <diffusion/image.h>
#include "data/registry.h"
#include "diffusion/model.h"

namespace diffusion {

struct Samples {
  Dataset images;  // with labels if each was made to be of a class that is known
  int steps = 0;   // 0: nobody knows how they were made
  std::string sampler = {};
};

// The images of a call of generate() from number 0 on, whose `label` was given or not. `class_names` are
// those of the feature network or of the real images; without labels if these are not among them. `name` is
// what to call them.
Dataset samples_of(const Model& model, std::span<const Image> images, std::optional<int> label,
                   std::string name, const std::vector<std::string>& class_names);

// Those of an .npy file (see read_image_array()) or of a folder; `count`: only so many of them, at random.
Dataset read_samples(const std::string& path, std::optional<int> count,
                     const std::vector<std::string>& class_names);

struct RealSets {
  Dataset images;                 // what samples are compared with
  std::optional<Dataset> others;  // the other split, if there are two
  bool images_are_for_training = false;

  // Null: there is only one set, and nobody knows what a model was trained on.
  const Dataset* training() const;
  const Dataset& test() const;
  // Where the neighbors of samples are looked for: the training images if these are known.
  const Dataset& searched() const;
};

// Of a data set by name or path, or of an .npy file. Labels are those of the feature network's `class_names`,
// if there are labels and they can be; without such names the data's own. Error(usage) for another `split`
// than "test" and "train".
RealSets read_real_sets(const std::string& data, const std::string& split, DataOptions source,
                        const std::optional<std::vector<std::string>>& class_names);

}  // namespace diffusion
