#include "diffusers/pipeline.h"

#include <fmt/format.h>

#include <array>
#include <set>

#include <diffusion/error.h>
#include "diffusers/pipeline_index.h"
#include "diffusers/scheduler_config.h"
#include "diffusers/weights.h"
#include "diffusion/default_recipe.h"
#include "files/folders.h"
#include "files/fs.h"
#include "words/tokenizer_files.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxConfigBytes = 4 << 20;
constexpr const char* kConsistency = "consistency";
constexpr const char* kMelConfig = "mel/mel_config.json";
// Parameters from which on weights stay in their files: packing them in each evaluation costs a few percent,
// copies of them would be gigabytes.
constexpr std::int64_t kLargeNetwork = 200'000'000;

Json read_json(const fs::path& path) {
  return parse_json(read_text_file(path, kMaxConfigBytes), path.string());
}

// The files of before diffusers 0.2 would read as if these fields had their defaults.
void refuse_first_versions(const Json& scheduler, const std::string& source) {
  const Json* steps = scheduler.find("timesteps");
  const Json* values = scheduler.find("timestep_values");
  const Json* name = scheduler.find("_class_name");
  std::string sign;
  if (name && *name == Json("GaussianDDPMScheduler"))
    sign = "_class_name is \"GaussianDDPMScheduler\"";
  else if (steps && !scheduler.find("num_train_timesteps"))
    sign = "field timesteps instead of num_train_timesteps";
  else if (values && !values->is_null())
    sign = "field timestep_values is not null";
  if (!sign.empty())
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} is of the first versions of diffusers (2022; {}), which meant other things; take "
                    "a newer revision of the model",
                    source, sign));
}

// The configuration, with the class of model_index.json if it names none itself.
Json read_scheduler(const fs::path& path, const PipelineIndex& index) {
  Json json = read_json(path);
  refuse_first_versions(json, path.string());
  if (auto* object = std::get_if<Json::Object>(&json.value()); object && index.scheduler_class)
    object->try_emplace("_class_name", *index.scheduler_class);
  return json;
}

constexpr std::string_view kTextPrefix = "text_model.", kConditionalUNet = "UNet2DConditionModel";

// A U-Net that attends to words has its text encoder beside it.
NetworkConfig read_network(const fs::path& directory, const fs::path& unet_config) {
  const Json json = read_json(unet_config);
  const Json* name = json.find("_class_name");
  if (!name || !(*name == Json(kConditionalUNet))) return parse_network_config(json, unet_config.string());
  const fs::path text_config = directory / "text_encoder/config.json";
  if (!path_exists(text_config))
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: the network is a {}, which is told words, but there is no {}",
                            unet_config.string(), kConditionalUNet, text_config.string()));
  WordsConfig words{parse_text_encoder_config(read_json(text_config), text_config.string()),
                    parse_conditional_unet_config(json, unet_config.string())};
  try {
    validate(words);
  } catch (const Error& error) {
    throw Error(ErrorKind::bad_input, fmt::format("{}: {}", directory.string(), error.what()));
  }
  return words;
}

// The ids of special tokens are the tokenizer's to say.
Json text_encoder_json(const TextEncoderConfig& config, const Tokenizer& tokenizer) {
  Json json = to_json(config);
  auto& object = std::get<Json::Object>(json.value());
  object["bos_token_id"] = tokenizer.vocabulary().start.id;
  object["eos_token_id"] = tokenizer.vocabulary().end.id;
  object["pad_token_id"] = tokenizer.vocabulary().padding.id;
  return json;
}

void read_words(const fs::path& directory, Model& model) {
  model.tokenizer = read_tokenizer_for(std::get<WordsConfig>(model.network).text_encoder,
                                       directory / "text_encoder/config.json", directory / "tokenizer");
}

void check_series(const SeriesForm& form, const NetworkTraits& traits, const std::string& where) {
  if (traits.in_channels != 1 || traits.known_channels() != form.known_channels() ||
      traits.sample_size != std::array{form.rows, form.season})
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is of {} rows of {} and {} known channels; the network is for {} x {} and {}",
                            where, form.rows, form.season, form.known_channels(), traits.sample_size[0],
                            traits.sample_size[1], traits.known_channels()));
}

// What the pictures of a model of sound are of: the component "mel" of diffusers' AudioDiffusionPipeline.
void read_mel(const fs::path& path, Model& model) {
  if (!path_exists(path)) return;
  const MelForm form = parse_mel_form(read_json(path), path.string());
  const NetworkTraits traits = model.traits();
  if (traits.in_channels != 1 || traits.sample_size != std::array{form.y_res, form.x_res})
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} is of pictures of {} x {} (y_res, x_res) with one channel; the network is for "
                    "{} x {} with {}",
                    path.string(), form.y_res, form.x_res, traits.sample_size[0], traits.sample_size[1],
                    traits.in_channels));
  model.mel = form;
}

// What we wrote of class names, null class, sampler and series.
void read_extras(const fs::path& path, Model& model) {
  if (!path_exists(path)) return;
  const Json json = read_json(path);
  const auto where = [&](const char* field) { return fmt::format("{}: field {}", path.string(), field); };
  if (const Json* names = json.find("class_names"))
    for (const Json& name : to_array(*names, where("class_names")))
      model.class_names.push_back(to_string(name, where("class_names")));
  if (const Json* row = json.find("null_class"); row && !row->is_null()) {
    const std::int64_t null_class = to_int(*row, where("null_class"));
    if (null_class != model.traits().class_rows() - 1)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} is {}, expected the last row of the class table, {}", where("null_class"),
                              null_class, model.traits().class_rows() - 1));
    model.null_class = int(null_class);
  }
  if (const Json* sampler = json.find("sampler")) {
    if (const std::string& name = to_string(*sampler, where("sampler")); name != kConsistency)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} is \"{}\"; accepted is \"{}\", and without it the scheduler decides",
                              where("sampler"), name, kConsistency));
    model.sampling = consistency_sampling(model.sampling, model.preconditioner);
  }
  if (const Json* series = json.find("series")) {
    model.series = parse_series_form(*series, where("series"));
    check_series(*model.series, model.traits(), where("series"));
  }
  if (!model.class_names.empty() && int(model.class_names.size()) != model.class_count())
    throw Error(ErrorKind::bad_input, fmt::format("{} has {} names for {} classes", where("class_names"),
                                                  model.class_names.size(), model.class_count()));
}

}  // namespace

Json scheduler_config_of(const Model& model) {
  return model.scheduler_config ? *model.scheduler_config
                                : scheduler_to_json(model.preconditioner, model.sampling.limit.clips());
}

fs::path component_directory(const fs::path& directory, const char* component) {
  return is_folder(directory / component) ? directory / component : directory;
}

void write_pipeline(const fs::path& directory, const Model& model, std::span<const float> weights,
                    SafetensorsDType dtype) {
  const Json scheduler = scheduler_config_of(model);
  const PipelineIndex index{model.pipeline_class, std::string(model.traits().type),
                            to_string(member(scheduler, "_class_name", "scheduler"), "scheduler class"),
                            model.tokenizer.has_value()};
  const bool in_diffusers = model.traits().in_diffusers;
  Json::Array names;
  for (const std::string& name : model.class_names) names.emplace_back(name);
  Json::Object extras{{"class_names", std::move(names)},
                      {"null_class", model.null_class ? Json(*model.null_class) : Json(nullptr)}};
  const bool tuned = facts_of(model.sampling.sampler).consistency;
  if (tuned && !model.sampling.level_rule) extras["sampler"] = kConsistency;  // else the scheduler says so

  if (model.series) extras["series"] = to_json(*model.series);

  std::vector<TensorToWrite> tensors, text_tensors;
  for (const ParamLayout::Entry& entry : model.params.layout().entries())
    (entry.name.starts_with(kTextPrefix) ? text_tensors : tensors)
        .push_back({entry.name, entry.dims, weights.subspan(entry.offset, entry.size), dtype});
  make_folder(directory / "unet");
  make_folder(directory / "scheduler");
  write_file(directory / "model_index.json",
             dump_json(to_json(index, in_diffusers ? "diffusers" : kOwnLibrary), 2) + "\n");
  write_file(directory / "diffusion.json", dump_json(extras, 2) + "\n");
  const auto* words = std::get_if<WordsConfig>(&model.network);
  const Json unet = words ? to_json(words->unet) : to_json(model.network);
  write_file(directory / "unet/config.json", dump_json(unet, 2) + "\n");
  write_file(directory / "scheduler/scheduler_config.json", dump_json(scheduler, 2) + "\n");
  write_safetensors(directory / "unet" / kWeightsFile, tensors);
  if (model.mel) {
    make_folder(directory / "mel");
    write_file(directory / kMelConfig, dump_json(to_json(*model.mel), 2) + "\n");
  }
  if (!words) return;
  make_folder(directory / "text_encoder");
  write_file(directory / "text_encoder/config.json",
             dump_json(text_encoder_json(words->text_encoder, *model.tokenizer), 2) + "\n");
  write_safetensors(directory / "text_encoder" / kTextWeightsFile, text_tensors);
  write_tokenizer(*model.tokenizer, directory / "tokenizer");
}

WeightsOnDisk weights_on_disk(const fs::path& directory) {
  std::vector<WeightFiles> parts;
  parts.push_back(WeightFiles::open(component_directory(directory, "unet")));
  if (is_folder(directory / "text_encoder"))
    parts.push_back(WeightFiles::open(directory / "text_encoder", kTextWeightsFile));
  std::set<std::string> dtypes;
  WeightsOnDisk result{{}, 0, 0};
  for (const WeightFiles& part : parts) {
    for (const std::string& dtype : part.dtypes()) dtypes.insert(dtype);
    result.files += part.paths().size();
    result.bytes += part.data_bytes();
  }
  result.dtypes.assign(dtypes.begin(), dtypes.end());
  return result;
}

ParamStore read_params(const fs::path& directory, const NetworkConfig& config, WeightPlace place) {
  ParamLayout layout = layout_of(config);
  std::vector<MappedWeights> parts;
  if (std::holds_alternative<WordsConfig>(config))
    parts.push_back(
        {WeightFiles::open(directory / "text_encoder", kTextWeightsFile), std::string(kTextPrefix)});
  parts.push_back({WeightFiles::open(component_directory(directory, "unet")), ""});
  const bool is_large = layout.parameter_count() >= kLargeNetwork;
  if (place == WeightPlace::files || (place == WeightPlace::as_fits && is_large))
    return map_weights(std::move(parts), std::move(layout));
  std::vector<WeightPart> views;
  for (const MappedWeights& part : parts) views.push_back({part.files, part.prefix});
  return read_weights(views, std::move(layout));
}

Tokenizer read_tokenizer_for(const TextEncoderConfig& encoder, const fs::path& encoder_file,
                             const fs::path& folder) {
  Tokenizer tokenizer = read_tokenizer(folder);
  if (int(tokenizer.size()) > encoder.vocab_size)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} has {} tokens, but {} has a vocab_size of {}", folder.string(),
                            tokenizer.size(), encoder_file.string(), encoder.vocab_size));
  return tokenizer;
}

Model read_pipeline(const fs::path& directory, WeightPlace place) {
  if (!is_folder(directory))
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} is not a directory; a model is a pipeline directory or a run", directory.string()));
  const fs::path unet_dir = component_directory(directory, "unet");
  const fs::path config_path = unet_dir / "config.json";
  const fs::path scheduler_path = component_directory(directory, "scheduler") / "scheduler_config.json";
  if (!path_exists(config_path))
    throw Error(ErrorKind::bad_input,
                fmt::format("{} holds no model: there is no unet/config.json and no config.json",
                            directory.string()));
  PipelineIndex index = read_pipeline_index(directory / "model_index.json");
  NetworkConfig config = read_network(directory, config_path);
  if (index.unet_class.value_or(std::string(traits_of(config).type)) != traits_of(config).type)
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: the network is a {}, but {} says {}", directory.string(),
                            traits_of(config).type, "model_index.json", *index.unet_class));
  if (index.has_words && !std::holds_alternative<WordsConfig>(config))
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: there is a text_encoder, but the network is a {}, which is told no words",
                            (directory / "model_index.json").string(), traits_of(config).type));
  Json scheduler_config = read_scheduler(scheduler_path, index);
  SchedulerSettings scheduler = parse_scheduler(scheduler_config, scheduler_path.string());
  ParamStore params = read_params(directory, config, place);
  Model model{std::move(config),
              std::move(scheduler.preconditioner),
              {},
              {},
              std::move(scheduler.sampling),
              std::move(params),
              std::move(scheduler_config),
              std::move(index.pipeline_class)};
  if (std::holds_alternative<WordsConfig>(model.network)) read_words(directory, model);
  read_extras(directory / "diffusion.json", model);
  read_mel(directory / kMelConfig, model);
  return model;
}

}  // namespace diffusion
