#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <diffusion/dataset.h>
#include <diffusion/train.h>
#include "data/batches.h"
#include "diffusion/model.h"
#include "files/fs.h"
#include "train/caption_states.h"
#include "train/caption_tokens.h"
#include "train/checkpoint.h"
#include "train/communicator.h"
#include "train/config.h"
#include "train/held_out.h"
#include "train/learner.h"
#include "train/run_log.h"
#include "train/run_setup.h"

namespace diffusion {

// A training run in a directory:
//   RUN/checkpoints/step-<N>/  checkpoints (checkpoint.h)      RUN/latest  a link to the newest
//   RUN/log.jsonl              one line per step (run_log.h)   RUN/previews/step-<N>.png
//   RUN/lock                   held while a process trains there   RUN/best  a model (write_best())
//   RUN/hidden-states.safetensors  if the text encoder is given: what it makes of the captions
// It trains a new model, or one that is trained already, and that for few steps if TrainConfig::consistency
// is set. The same configuration in the same directory goes on where the newest whole checkpoint stopped, and
// ends with the same bytes as a run that was never interrupted (steps or epochs; same threads, CPU and
// build).
//
// Several processes may train one run together, each with the whole configuration and all data, and end with
// the bytes of one. The leader alone has the directory, the log, previews and the held-out loss.
class TrainingRun {
 public:
  // Called with what a person should know.
  using Report = std::function<void(const std::string& message)>;

  // Opens or resumes the run. Error(usage) naming every difference if the directory holds a run of another
  // configuration or data set. On `held_out` the loss is measured now and then; why_not_held_out() must
  // accept it. `start` is the model to start from, and `config` then from starting_from() or tuning_config();
  // Error(usage) if it makes images of another size, other channels or classes than the data set's.
  // `text_encoder` is one that is given to a new model and not trained, and `config` then from
  // with_text_encoder(). `communicator` joins the processes that train together.
  TrainingRun(const TrainConfig& config, Dataset dataset, const std::filesystem::path& folder, Report report,
              std::optional<Dataset> held_out = {}, std::optional<Model> start = {},
              std::optional<TextEncoder> text_encoder = {}, const Communicator& communicator = {});
  ~TrainingRun();

  // Trains until the budget is spent or `stop` turns true; saves either way. Returns whether the run is
  // complete. Error(non_finite) naming step and images if a loss or gradient is NaN or infinite: nothing is
  // saved then, the last checkpoint stays.
  bool train(const std::function<void(const StepReport&)>& on_step, const std::atomic<bool>& stop);

  // Writes the model of the averaged weights, those of which the held-out loss was measured after the last
  // step, to RUN/best; an earlier one there is replaced. For the leader, in on_step of train().
  void write_best() const;

  bool measures_held_out() const { return held_out_.has_value(); }  // of the leader
  std::int64_t step() const { return state_.step; }
  double seconds() const { return state_.seconds; }
  const Model& model() const { return model_; }
  std::int64_t total_steps() const { return total_steps_; }  // 0 if the budget is minutes

 private:
  TrainingRun(RunSetup setup, Dataset&& dataset, const std::filesystem::path& folder, Report report,
              std::optional<Dataset> held_out, const Communicator& communicator);

  void open_folder();
  void prepare_captions();
  void resume();
  bool read_newest();
  StepReport train_step();
  void record(StepReport& report);
  void show(const StepReport& report, double progress_before);
  bool save_due() const;
  double progress() const;
  double learning_rate() const;
  bool epoch_ends() const;
  bool preview_due(const StepReport& report, double progress_before) const;
  void report_loss(const StepReport& report);
  bool held_out_due(const StepReport& report) const;
  void measure_held_out(StepReport& report);
  void gather_average();
  void save();
  Model averaged_model() const;
  void write_preview();
  [[noreturn]] void fail_non_finite(const LearnedStep& learned) const;

  TrainConfig config_;
  Dataset dataset_;
  std::filesystem::path folder_;
  Report report_;
  Communicator communicator_;
  std::unique_ptr<FileLock> lock_;
  Model model_;
  std::shared_ptr<const Device> device_;
  LearnedParams params_;  // those of model_ are as they were at the last download()
  Learner learner_;
  std::optional<CaptionTokens> caption_tokens_;  // of a network of words
  std::optional<CaptionStates> caption_states_;  // whose text encoder does not learn
  std::unique_ptr<Task> task_;
  BatchStream stream_;  // which images a step shows, and in which epoch
  TrainingState state_;
  std::int64_t total_steps_ = 0;
  bool saves_ = false;                 // agreed after the last step
  std::optional<double> epoch_began_;  // seconds of the run; unknown after a resume in the middle of an epoch
  std::optional<HeldOut> held_out_;
  std::optional<RunLogWriter> log_;
  std::chrono::steady_clock::time_point clock_, saved_at_;  // when the last step ended, and the last save
};

}  // namespace diffusion
