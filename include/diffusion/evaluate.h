#pragma once

// How far generated images are from real ones, and in which way.

#include <string>

#include <diffusion/dataset.h>

namespace diffusion {

// From 5% to 95%: how uncertain a score is because there were so many images and not more.
struct Interval {
  double low = 0, high = 0;
};

struct Score {
  double value = 0;
  Interval interval = {};
};

// Fidelity and coverage told apart, by balls around the images of a set that reach to their k-th nearest
// neighbor in it.
//   precision  share of generated images in a ball of a real one        (Kynkaanniemi et al. 2019, arXiv
//              1904.06991)
//   recall     share of real images in a ball of a generated one
//   density    real balls that a generated image is in, on average, divided by k   (Naeem et al. 2020, arXiv
//              2002.09797)
//   coverage   share of real images whose ball has a generated image in it
// Two halves of one set give about 0.9 for precision and recall at k = 3, 1 for density, and for coverage at
// k = 5 about 0.97.
struct Prdc {
  Score precision, recall, density, coverage;
};

// frechet: the Frechet distance of features (Heusel et al. 2017, arXiv 1706.08500). kid: the kernel distance
// (Binkowski et al. 2018, arXiv 1801.01401). Of two equal distributions the distances are not 0 and the
// shares not 1, for want of images: compare with an evaluation of real against real of the same counts.
struct Evaluation {
  int generated = 0, real = 0;  // images
  Score frechet, kid;
  Prdc prdc;
};

// Compares two sets of images of one size by the features of a network: the classifier that comes with the
// library for the data set of that name ("fashion-mnist"), a directory that `diffusion train-features` made,
// or the file of Inception-v3's weights (docs/evaluation.md). Error(usage) for images of different forms, and
// for fewer than 6 of a set.
Evaluation evaluate_images(const Dataset& generated, const Dataset& real, const std::string& features);

}  // namespace diffusion
