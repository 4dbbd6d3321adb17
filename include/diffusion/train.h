#pragma once

// Training a model on a data set.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include <diffusion/dataset.h>

namespace diffusion {

class TrainingRun;

// The loss of the averaged weights (EMA) on images that training never sees, in units of the training loss.
struct HeldOutLoss {
  double loss;                   // the mean over all noise levels of training
  std::vector<double> sigma;     // ascending; between sigma[k] and sigma[k + 1] ...
  std::vector<double> by_sigma;  // ... the loss is by_sigma[k]
};

// What one finished step tells.
struct StepReport {
  std::int64_t step;          // from 1
  double progress;            // share of the run that is done
  double loss, loss_average;  // the average over about the last 50 steps
  double learning_rate, gradient_norm;
  double images_per_second;                  // of this step
  double seconds;                            // of the whole run
  std::optional<HeldOutLoss> held_out = {};  // only after the steps at which it was measured
};

// The value of a field of a training configuration.
using TrainValue = std::variant<bool, std::int64_t, double, std::string>;

// What to train, and how.
struct TrainOptions {
  // A recipe by name, see `diffusion train --help`; empty: the one that suits the images.
  std::string preset = {};
  // What is to be otherwise than in the preset, by the names of the fields (docs/library.md):
  //   {{"epochs", 20}, {"batch", 128}, {"learning_rate", 1e-3}, {"objective", "flow"}}
  // One of "minutes", "steps" and "epochs" says how long to train; without, the preset does, or 15 minutes.
  std::map<std::string, TrainValue> fields = {};
  // A trained model, as read_model() takes it, whose weights to start from; its network and objective stay.
  std::filesystem::path start = {};
  // A text encoder that the new model of words has, and that is not trained: a pipeline directory, or one of
  // transformers' CLIPTextModel and its tokenizer.
  std::filesystem::path text_encoder = {};
  // Images of which training sees none, on which the loss is measured now and then.
  std::optional<Dataset> held_out = {};
  // Is told what a person should know.
  std::function<void(const std::string& message)> report = {};
};

// A training run in a directory:
//   RUN/checkpoints/step-<N>/                                  RUN/latest  a link to the newest, a model
//   RUN/log.jsonl   one line per step                          RUN/previews/step-<N>.png
//   RUN/lock        held while a process trains there
// The same options and images in the same directory go on where the newest whole checkpoint stopped, and end
// with the same bytes as a run that was never interrupted (steps or epochs; same threads, CPU and build).
class Training {
 public:
  // Opens or resumes the run. Error(usage) naming the field for options that cannot be, and every difference
  // if the directory holds a run of other options or images.
  Training(Dataset images, const std::filesystem::path& directory, const TrainOptions& options = {});
  Training(Training&& other) noexcept;
  Training& operator=(Training&& other) noexcept;
  ~Training();

  // Trains until the time is spent or a stop is asked for; saves either way. Returns whether the run is
  // complete. Error(non_finite) naming step and images if a loss or gradient is NaN or infinite: nothing is
  // saved then, the last checkpoint stays.
  bool run(const std::function<void(const StepReport&)>& on_step = {}, std::stop_token stop = {});

  std::int64_t step() const;
  std::int64_t total_steps() const;  // 0 if the run is limited by minutes
  double seconds() const;            // that it has trained, over all of its parts

 private:
  std::unique_ptr<TrainingRun> run_;
};

}  // namespace diffusion
