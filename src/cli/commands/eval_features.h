#pragma once

// The network in whose features `diffusion eval` compares images.

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "cli/commands/eval_sets.h"
#include "device/device.h"
#include "eval/classifier_files.h"
#include "eval/inception_files.h"

namespace diffusion {

// A classifier of the data, or Inception-v3, which knows nothing of their classes.
using EvalNetwork = std::variant<FeatureNetwork, InceptionNetwork>;

// Of --features: a directory of train-features, or a file, which must be Inception-v3's weights. Without it
// the classifier that comes with the program for --data: Error(usage) if none does.
EvalNetwork read_eval_network(const EvalOptions& o);

const ClassifierConfig* classifier_of(const EvalNetwork& net);  // null: Inception-v3
std::string_view name_of(const EvalNetwork& net);               // "classifier", "inception-v3"
const std::string& sha256_of(const EvalNetwork& net);

// The network at work, in f32.
class Extractor {
 public:
  Extractor(EvalNetwork& net, bool quiet);

  // `what` is the title of its progress. Of Inception-v3 nothing is `predicted`.
  Extracted of(const Dataset& images, const char* what);
  // The same; of large sets it is kept in the cache (eval/feature_cache.h) for the next time.
  Extracted of_real(const Dataset& images, const char* what);

 private:
  EvalNetwork& net_;
  bool quiet_;
  std::unique_ptr<Device> device_;
};

}  // namespace diffusion
