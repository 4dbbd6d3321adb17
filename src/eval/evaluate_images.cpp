#include <diffusion/evaluate.h>

#include "eval/evaluation.h"
#include "eval/feature_network.h"
#include "files/folders.h"

namespace diffusion {

Evaluation evaluate_images(const Dataset& generated, const Dataset& real, const std::string& features) {
  const bool is_there = is_folder(features) || is_plain_file(features);
  EvalNetwork net = is_there ? read_eval_network(features, "") : read_eval_network("", features);
  Extractor extractor(net, {});
  const Extracted of_generated = extractor.of(generated, "generated"),
                  of_real = extractor.of_real(real, "real");
  return evaluate(of_generated.features, of_real.features);
}

}  // namespace diffusion
