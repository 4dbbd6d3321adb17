#pragma once

// A trained or freshly initialized diffusion model: network, weights, and what its numbers mean. On disk it
// is a pipeline directory, diffusers/pipeline.h.

#include <optional>
#include <string>
#include <vector>

#include "diffusion/param_layout.h"
#include "diffusion/precondition.h"
#include "diffusion/sampling_recipe.h"
#include "formats/json.h"
#include "nn/network.h"
#include "plan/param_store.h"
#include "series/series_form.h"
#include "sound/mel_form.h"
#include "words/tokenizer.h"

namespace diffusion {

struct Model {
  NetworkConfig network;
  Preconditioner preconditioner;
  std::vector<std::string> class_names;  // empty: not class-conditional, or names unknown
  std::optional<int> null_class;  // the row of the class table that means "no class", if it was trained
  // What the scheduler of its files does, sampling_of_new_model() of diffusers/scheduler_config.h for models
  // that we train, or consistency_sampling(); default_recipe() is what people get, with guidance by words.
  SamplingRecipe sampling;
  ParamStore params;
  // scheduler_config.json and the pipeline's class as they were read; what is written then, whatever the
  // members above say. None for models that we train: then the file is made from the preconditioner.
  std::optional<Json> scheduler_config = {};
  std::string pipeline_class = "DDPMPipeline";
  // Of a network that is told tokens, and only of such.
  std::optional<Tokenizer> tokenizer = {};
  // Of a model that forecasts series.
  std::optional<SeriesForm> series = {};
  // Of a model of sound: what its pictures are of.
  std::optional<MelForm> mel = {};

  // Classes that a person may ask for; 0: not class-conditional.
  int class_count() const { return traits().class_rows() - (null_class ? 1 : 0); }

  NetworkTraits traits() const { return traits_of(network); }
};

}  // namespace diffusion
