#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <diffusion/device.h>
#include "data/image_form.h"
#include "diffusion/loss.h"
#include "diffusion/precondition.h"
#include "diffusion/spacings.h"
#include "nn/network.h"
#include "series/series_form.h"
#include "sound/mel_form.h"
#include "train/consistency.h"
#include "train/optimizer.h"

namespace diffusion {

// How long to train; exactly one is set.
struct Budget {
  std::optional<double> minutes;      // wall clock; the learning rate follows the clock, so two runs differ
  std::optional<std::int64_t> steps;  // exact
  std::optional<double> epochs;       // exact; turned into steps
};

// How the learning rate goes.
//   warmup_cosine     up from 0 over the share `warmup` of the run, then along a cosine to 0
//   constant
//   staircase_cosine  along a cosine to min_learning_rate over rate_epochs epochs, the same within an epoch
enum class RateShape { warmup_cosine, constant, staircase_cosine };
std::string_view to_string(RateShape shape);

// The pictures that show how far a run is.
struct Previews {
  int images = 40, columns = 10;
  std::string sampler = "dpmpp_3m";
  int steps = 20;
  std::optional<Spacing> spacing = {};  // none: the default of the objective
  bool each_epoch = false;              // else at every quarter of the run
};

// Everything that decides what a run computes, a line per choice. docs/training.md explains them, and
// config_fields.cpp says of each what is accepted.
struct TrainConfig {
  std::string preset = "fashion-mnist";
  std::string data = "fashion-mnist";  // empty in a preset: must be given
  FormOptions form;                    // size, channels and background of the images, random crop
  int shards = 1, shard = 0;           // every shards-th image, from number `shard`
  NetworkConfig network;               // image size, channels and classes come from the data
  // fingerprint_of() the model whose weights the run starts from, see starting_model.h; none: random weights.
  std::optional<std::string> start;
  // fingerprint_of() a text encoder that is given, and not trained; none: the network's own is.
  std::optional<std::string> text_encoder;

  Objective objective = Objective::v;
  ScheduleKind schedule = ScheduleKind::cosine;
  int timesteps = 1000;
  double beta_start = 1e-4, beta_end = 0.02;
  EdmProcess edm;
  RectifiedFlow flow;  // its num_train_timesteps is `timesteps`
  LossKind loss = LossKind::mse;
  Weighting weighting;
  std::optional<SeriesForm> series;  // the data are series, seen as this says
  std::optional<MelForm> mel;        // the data are sound, seen as this says
  // Tunes a trained model instead: noise levels, loss and its weight are then as said there.
  std::optional<ConsistencyTuning> consistency;

  int batch = 64;
  int accumulate = 1;  // parts that a batch is computed in, one after the other, to save memory
  // Slices of a batch (or part), each computed by one thread alone; 1: all threads share in every operation.
  int slices = 1;
  Precision precision = Precision::automatic;
  std::uint64_t seed = 0;
  OptimizerKind optimizer = OptimizerKind::adamw;
  double learning_rate = 2e-3;
  RateShape rate = RateShape::warmup_cosine;
  double warmup = 0.03;
  double min_learning_rate = 0;
  int rate_epochs = 10;
  double beta1 = 0.9, beta2 = 0.99;  // of AdamW
  double weight_decay = 0;
  double clip = 1;  // largest gradient norm; 0: no limit
  std::optional<double> ema_exponent =
      6.94;  // see ema_decay() in learner.h; none: what is saved is the weights themselves
  bool flip = false;
  bool drop_last = false;   // an epoch ends with its last full batch
  bool conditional = true;  // on the labels, where the data have them
  double label_dropout = 0.1;
  double caption_dropout = 0.1;
  int vocabulary = 1500;     // tokens that are learned from the captions, at most
  bool clip_samples = true;  // limit estimates of the clean image to [-1, 1] when sampling

  // Not part of what is computed.
  Budget budget;
  Previews previews;
  std::int64_t report_every = 0;  // steps between lines with the loss of the batch; 0: none
  int threads = 0;
  bool gradient_checkpointing = false;  // compute what is inside of blocks again, to save memory
  std::optional<std::int64_t> save_every,
      preview_every;                           // steps; default: every minute, and as `previews` says
  std::optional<std::int64_t> held_out_every;  // steps; 0: never; default: held_out_interval() in held_out.h
  bool tensorboard = false;
  int keep = 2;  // checkpoints
};

// The samples of one run of a training plan.
inline int samples_at_once(const TrainConfig& c) {
  return c.batch / c.accumulate / c.slices;
}

Preconditioner make_preconditioner(const TrainConfig& config);

// Share of the full learning rate at `progress`, the share of the run that is done, in [0, 1].
double learning_rate_factor(double warmup, double progress);

// The rate of epoch `epoch`, from 0, of a staircase of `epochs`:
// lowest + (highest - lowest) (1 + cos(pi min(epoch, epochs) / epochs)) / 2.
double staircase_cosine(double lowest, double highest, int epochs, std::uint64_t epoch);

}  // namespace diffusion
