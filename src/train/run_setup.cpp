#include "train/run_setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "base/version.h"
#include "diffusers/scheduler_config.h"
#include "diffusion/default_recipe.h"
#include "train/config_checks.h"
#include "train/starting_model.h"
#include "words/train_tokenizer.h"

namespace diffusion {

namespace {

void require_captions(const Dataset& dataset) {
  if (dataset.captions.empty())
    throw Error(ErrorKind::usage,
                fmt::format("the network is told words, but {} has no captions", dataset.name), {"captions"});
}

Tokenizer tokenizer_of(const TrainConfig& c, const Dataset& dataset) {
  std::vector<std::string> captions;
  for (int i = 0; i < dataset.captions.images(); ++i)
    for (std::size_t k = 0; k < dataset.captions.count(i); ++k)
      captions.emplace_back(dataset.captions.text(i, k));
  return train_tokenizer(captions,
                         {.vocabulary = c.vocabulary, .max_length = traits_of(c.network).text_length()});
}

RunSetup continue_model(TrainConfig c, const Dataset& dataset, Model start) {
  check_start(c, start, dataset);
  const std::array size{dataset.example_height(), dataset.example_width()};
  const NetworkTraits traits = traits_of(c.network);
  if (traits.sample_size[0] > 0 &&
      traits.sample_size != size) {  // convolutions and attention have weights for any size
    c.network = fitted_to(std::move(c.network), size, dataset.channels, traits.class_rows());
    validate_image_size(c.network, size[0], size[1]);
  }
  validate(c);
  start.network = c.network;  // its dropout may be another
  if (c.consistency) start.sampling = consistency_sampling(start.sampling, start.preconditioner);
  return {std::move(c), std::move(start)};
}

void take_weights(const ParamStore& from, ParamStore& to) {
  for (const ParamLayout::Entry& entry : from.layout().entries())
    std::ranges::copy(from.values(entry), to.values(*to.layout().find(entry.name)).begin());
  to.mark_changed();
}

RunSetup new_model(TrainConfig c, const Dataset& dataset, std::optional<TextEncoder> text_encoder) {
  std::optional<Tokenizer> tokenizer;
  if (traits_of(c.network).text_length() > 0) require_captions(dataset);
  if (text_encoder) {
    tokenizer = std::move(text_encoder->tokenizer);
  } else if (traits_of(c.network).text_length() > 0) {
    tokenizer = tokenizer_of(c, dataset);
    c.network = with_vocabulary(std::move(c.network), int(tokenizer->size()));
  }
  const bool conditional = c.conditional && !dataset.labels.empty() && !tokenizer;
  const int class_rows = conditional ? int(dataset.class_names.size()) + 1 : 0;  // the last: no class
  const std::array size{dataset.example_height(), dataset.example_width()};
  c.network = fitted_to(std::move(c.network), size, dataset.channels, class_rows, dataset.known_channels());
  validate(c);
  validate_image_size(c.network, size[0], size[1]);

  Preconditioner preconditioner = make_preconditioner(c);
  SamplingRecipe sampling = sampling_of_new_model(preconditioner, c.clip_samples);
  Model model{c.network, std::move(preconditioner), {},
              {},        std::move(sampling),       ParamStore(layout_of(c.network))};
  if (class_rows > 0) {
    model.class_names = dataset.class_names;
    model.null_class = class_rows - 1;
  }
  model.tokenizer = std::move(tokenizer);
  model.series = c.series;
  model.mel = c.mel;
  model.params.initialize(c.seed);
  if (text_encoder) take_weights(text_encoder->params, model.params);
  return {std::move(c), std::move(model)};
}

}  // namespace

RunSetup set_up_run(TrainConfig c, const Dataset& dataset, std::optional<Model> start,
                    std::optional<TextEncoder> text_encoder) {
  if (c.precision == Precision::automatic) c.precision = fastest_precision();
  return start ? continue_model(std::move(c), dataset, std::move(*start))
               : new_model(std::move(c), dataset, std::move(text_encoder));
}

TrainingState initial_state(const TrainConfig& config, const Dataset& dataset) {
  TrainingState state;
  state.config = to_json(config);
  state.data = Json::Object{{"name", dataset.name},
                            {"count", dataset.count()},
                            {"fingerprint", fmt::format("{:016x}", dataset.fingerprint())}};
  Json::Object environment{{"cpu", cpu_description()}, {"version", version()}};
  if (config.slices == 1) environment.emplace("threads", thread_count());
  state.environment = std::move(environment);
  return state;
}

std::string differences(const Json& there, const Json& here) {
  std::string list;
  const auto text = [](const Json* j) { return j ? dump_json(*j) : std::string("absent"); };
  const auto add = [&](const std::string& name, const Json* a, const Json* b) {
    list += fmt::format("{}{} ({} there, {} here)", list.empty() ? "" : ", ", name, text(a), text(b));
  };
  for (const auto& [name, value] : to_object(here, "the configuration")) {
    const Json* other = there.find(name);
    if ((name == "network" || name == "consistency" || name == "series") && other) {
      const std::string inner = differences(*other, value);
      if (!inner.empty()) list += fmt::format("{}{}: {}", list.empty() ? "" : ", ", name, inner);
    } else if (!other || !(*other == value)) {
      add(name, other, &value);
    }
  }
  for (const auto& [name, value] : to_object(there, "the configuration"))
    if (!here.find(name)) add(name, &value, nullptr);
  return list;
}

void check_same_run(const std::filesystem::path& run, const TrainConfig& config, const TrainingState& found,
                    const TrainingState& wanted) {
  const std::string settings = differences(with_later_fields(found.config, config), wanted.config),
                    data = differences(found.data, wanted.data);
  if (settings.empty() && data.empty()) return;
  throw Error(
      ErrorKind::usage,
      fmt::format(
          "{} holds a run with other settings: {}{}{}. Repeat its command to resume it, or choose another "
          "folder",
          run.string(), settings, !settings.empty() && !data.empty() ? ", data: " : "", data),
      {"run"});
}

}  // namespace diffusion
