#include "train/starting_model.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "diffusers/pipeline.h"
#include "diffusion/default_recipe.h"
#include "files/sha256.h"
#include "formats/json.h"

namespace diffusion {

namespace {

std::string text_of(const Tokenizer& tokenizer) {
  std::string text;
  for (const std::string& token : tokenizer.vocabulary().tokens) text += token + '\n';
  return text;
}

std::string text_of(const ParamStore& params) {
  std::string text;
  for (const ParamLayout::Entry& entry : params.layout().entries())
    text += entry.name + sha256(std::as_bytes(params.values(entry)));
  return text;
}

}  // namespace

std::string fingerprint_of(const Model& model) {
  std::string text = dump_json(to_json(model.network)) + dump_json(scheduler_config_of(model));
  if (model.tokenizer) text += text_of(*model.tokenizer);
  text += text_of(model.params);
  return sha256(std::as_bytes(std::span(text)));
}

std::string fingerprint_of(const TextEncoder& encoder) {
  const std::string text =
      dump_json(to_json(encoder.config)) + text_of(encoder.tokenizer) + text_of(encoder.params);
  return sha256(std::as_bytes(std::span(text)));
}

TrainConfig with_text_encoder(const TextEncoder& encoder, TrainConfig c) {
  c.text_encoder = fingerprint_of(encoder);
  c.network = with_given_text_encoder(std::move(c.network), encoder.config);
  return c;
}

TrainConfig starting_from(const Model& model, TrainConfig c) {
  const Preconditioner& preconditioner = model.preconditioner;
  c.start = fingerprint_of(model);
  c.network = model.network;
  c.objective = preconditioner.objective();
  if (const NoiseSchedule* schedule = preconditioner.schedule()) {
    c.schedule = schedule->kind;
    c.timesteps = schedule->num_train_timesteps;
    c.beta_start = schedule->beta_start;
    c.beta_end = schedule->beta_end;
  }
  if (const auto* edm = preconditioner.as<EdmProcess>()) c.edm = *edm;
  if (const auto* flow = preconditioner.as<RectifiedFlow>()) {
    c.flow = *flow;
    c.timesteps = flow->num_train_timesteps;
  }
  if (const auto size = model.traits().sample_size; c.form.size && size[0] > 0) c.form.size = size;
  c.mel = model.mel;
  c.conditional = model.class_count() > 0;
  if (!model.null_class) c.label_dropout = 0;
  c.clip_samples = model.sampling.limit.clips();
  return c;
}

TrainConfig tuning_config(const Model& teacher) {
  TrainConfig c = starting_from(teacher, {});
  c.preset = "distill";
  c.consistency = ConsistencyTuning{};
  c.optimizer = OptimizerKind::muon;
  c.learning_rate = 2e-3;
  c.held_out_every = 0;
  c.previews = {.sampler = "consistency", .steps = 2, .spacing = Spacing::angle};
  return c;
}

void check_start(const TrainConfig& config, const Model& model, const Dataset& dataset) {
  const NetworkTraits traits = model.traits();
  const std::array size{dataset.example_height(), dataset.example_width()};
  const auto refuse = [&](const std::string& reason, std::vector<std::string> fields = {}) {
    throw Error(ErrorKind::usage, fmt::format("the model cannot be trained on {}: {}", dataset.name, reason),
                std::move(fields));
  };
  if (traits.known_channels() > 0 || dataset.numbers) refuse("series are learned by new models alone");
  if (traits.in_channels != traits.out_channels ||
      (traits.condition(kClassCondition) && traits.class_rows() == 0))
    refuse("it is no network that we train");
  const bool fits = traits.sample_size[0] == 0 || traits.sample_size == size || config.form.size == size;
  if (traits.in_channels != dataset.channels || !fits)
    refuse(fmt::format(
               "its images are {}x{}x{}, those of the data {}x{}x{}; another size and channels of the data "
               "convert them",
               traits.sample_size[0], traits.sample_size[1], traits.in_channels, size[0], size[1],
               dataset.channels),
           {"size", "channels"});
  if (const auto* edm = model.preconditioner.as<EdmProcess>();
      edm && (edm->negated || edm->time != EdmProcess::Time::quarter_log))
    refuse("what its network predicts, or is told, is not what edm models of ours do");
  if (config.consistency && model.preconditioner.objective() == Objective::x0)
    refuse(
        "its network predicts x0, but D must be x itself where there is no noise; accepted are models that "
        "predict epsilon, v, edm or flow");
  if (!config.consistency && facts_of(model.sampling.sampler).consistency)
    refuse(
        "it was tuned for few evaluations, which training as usual would undo; start from the model before "
        "that");
  if (model.tokenizer && dataset.captions.empty())
    refuse("it is told words, and the data have no captions", {"captions"});
  if (model.class_count() == 0) return;
  if (!model.null_class && config.label_dropout > 0)
    throw Error(ErrorKind::usage,
                fmt::format("label_dropout is {}, and the model has no null class; accepted is 0",
                            config.label_dropout),
                {"label_dropout"});
  if (dataset.labels.empty()) refuse("it makes images of a class, and the data have no labels");
  if (model.class_count() != int(dataset.class_names.size()))
    refuse(fmt::format("it knows {} classes, the data have {}", model.class_count(),
                       dataset.class_names.size()));
  for (std::size_t k = 0; k < model.class_names.size(); ++k)
    if (model.class_names[k] != dataset.class_names[k])
      refuse(fmt::format("its class {} is \"{}\", that of the data \"{}\"", k, model.class_names[k],
                         dataset.class_names[k]));
}

}  // namespace diffusion
