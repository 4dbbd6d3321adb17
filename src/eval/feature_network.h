#pragma once

// The network in whose features an evaluation compares images.

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "device/device.h"
#include "eval/classifier_files.h"
#include "eval/evaluation_watch.h"
#include "eval/inception_files.h"

namespace diffusion {

// A classifier of the data, or Inception-v3, which knows nothing of their classes.
using EvalNetwork = std::variant<FeatureNetwork, InceptionNetwork>;

// Reads `features`: a directory of a feature network, or a file, which must be Inception-v3's weights. If
// `features` is empty, the classifier that comes with the program for `data`: Error(usage) if none does.
EvalNetwork read_eval_network(const std::string& features, const std::string& data);

// A classifier by the name of the data set that one comes with the program for, or by its directory.
// Error(usage) for other names, Error(bad_input) for a directory that holds none.
FeatureNetwork read_classifier(const std::string& name);

const ClassifierConfig* classifier_of(const EvalNetwork& net);  // null: Inception-v3
std::string_view name_of(const EvalNetwork& net);               // "classifier", "inception-v3"
const std::string& sha256_of(const EvalNetwork& net);

// The network at work, in f32.
class Extractor {
 public:
  // `net` must outlive this.
  Extractor(EvalNetwork& net, EvaluationWatch watch);

  // `part` is what to call the work. Of Inception-v3 nothing is `predicted`.
  Extracted of(const Dataset& images, std::string_view part);
  // The same; of large sets it is kept in the cache (eval/feature_cache.h) for the next time.
  Extracted of_real(const Dataset& images, std::string_view part);

 private:
  EvalNetwork& net_;
  EvaluationWatch watch_;
  std::shared_ptr<const Device> device_;
};

}  // namespace diffusion
