#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include "diffusion/generate_request.h"
#include "diffusion/model.h"
#include "diffusion/network_evaluator.h"
#include "diffusion/rows.h"
#include "serve/batch_times.h"

namespace diffusion::serve {

// A model as the engine evaluates it. Made and used by the engine's thread, but for what is const.
class ServedModel {
 public:
  // Error(usage) for models whose pictures have no size of their own, and for those that make no pictures.
  ServedModel(std::string name, std::shared_ptr<const Model> model);

  // Measures evaluations of more and more rows, up to `most_rows`, while one takes at most `most_seconds` and
  // company makes rows cheaper (`enough` of without_needless_rows).
  void prepare(const Device& device, std::size_t most_rows, double most_seconds, double enough);

  const std::string& name() const { return name_; }
  const Model& model() const { return *model_; }
  const PictureSize& size() const { return size_; }
  const BatchTimes& times() const { return *times_; }

  // D of the rows, [N, C, H, W]; they are padded.
  void denoise(Rows& rows, std::vector<double>& denoised);

 private:
  double measure(NetworkEvaluator& evaluator, std::size_t rows) const;

  std::string name_;
  std::shared_ptr<const Model> model_;
  PictureSize size_;
  std::optional<BatchTimes> times_;
  std::optional<NetworkEvaluator> evaluator_;
};

}  // namespace diffusion::serve
