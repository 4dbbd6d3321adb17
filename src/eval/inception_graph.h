#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace diffusion {

inline constexpr int kInceptionSide = 299, kInceptionFeatures = 2048;

// Inception-v3 (Szegedy et al. 2016, arXiv 1512.00567) as in the TensorFlow graph of 2015-12-05, in which FID
// was defined (Heusel et al. 2017), up to the mean over the last 8 x 8 pixels. That graph differs from the
// paper: means of 3 x 3 do not count padding, and the last block has a maximum in their place.
struct InceptionGraph {
  Graph graph;
  Value sample;    // [N, 3, 299, 299], (byte - 128) / 128
  Value features;  // [N, 2048, 1, 1]
};

// Parameters are those of the 94 convolutions, NAME.weight and NAME.bias with the batch normalization in
// them; NAME is that of PyTorch's ports, "Mixed_5b.branch1x1".
InceptionGraph make_inception_graph(int n);

}  // namespace diffusion
