#include "diffusers/pipeline.h"

#include <fmt/format.h>

#include <diffusion/error.h>
#include "diffusers/pipeline_index.h"
#include "diffusers/scheduler_config.h"
#include "diffusers/weights.h"
#include "diffusion/default_recipe.h"
#include "files/folders.h"
#include "files/fs.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxConfigBytes = 4 << 20;
constexpr const char* kConsistency = "consistency";

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

// What we wrote of class names, null class and sampler.
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
    model.sampling = consistency_sampling(*model.sampling, model.preconditioner);
  }
  if (!model.class_names.empty() && int(model.class_names.size()) != model.class_count())
    throw Error(ErrorKind::bad_input, fmt::format("{} has {} names for {} classes", where("class_names"),
                                                  model.class_names.size(), model.class_count()));
}

}  // namespace

Json scheduler_config_of(const Model& model) {
  return model.scheduler_config ? *model.scheduler_config
                                : scheduler_to_json(model.preconditioner, model.clip_x0);
}

fs::path component_directory(const fs::path& directory, const char* component) {
  return is_folder(directory / component) ? directory / component : directory;
}

void write_pipeline(const fs::path& directory, const Model& model, std::span<const float> weights,
                    SafetensorsDType dtype) {
  const Json scheduler = scheduler_config_of(model);
  const PipelineIndex index{model.pipeline_class, std::string(model.traits().type),
                            to_string(member(scheduler, "_class_name", "scheduler"), "scheduler class")};
  const bool in_diffusers = model.traits().in_diffusers;
  Json::Array names;
  for (const std::string& name : model.class_names) names.emplace_back(name);
  Json::Object extras{{"class_names", std::move(names)},
                      {"null_class", model.null_class ? Json(*model.null_class) : Json(nullptr)}};
  const bool tuned = model.sampling && facts_of(model.sampling->sampler).consistency;
  if (tuned && !model.sampling->level_rule) extras["sampler"] = kConsistency;  // else the scheduler says so

  std::vector<TensorToWrite> tensors;
  for (const ParamLayout::Entry& entry : model.params.layout().entries())
    tensors.push_back({entry.name, entry.dims, weights.subspan(entry.offset, entry.size), dtype});
  make_folder(directory / "unet");
  make_folder(directory / "scheduler");
  write_file(directory / "model_index.json",
             dump_json(to_json(index, in_diffusers ? "diffusers" : kOwnLibrary), 2) + "\n");
  write_file(directory / "diffusion.json", dump_json(extras, 2) + "\n");
  write_file(directory / "unet/config.json", dump_json(to_json(model.network), 2) + "\n");
  write_file(directory / "scheduler/scheduler_config.json", dump_json(scheduler, 2) + "\n");
  write_safetensors(directory / "unet" / kWeightsFile, tensors);
}

Model read_pipeline(const fs::path& directory) {
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
  NetworkConfig config = parse_network_config(read_json(config_path), config_path.string());
  if (index.unet_class.value_or(std::string(traits_of(config).type)) != traits_of(config).type)
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: the network is a {}, but {} says {}", directory.string(),
                            traits_of(config).type, "model_index.json", *index.unet_class));
  Json scheduler_config = read_scheduler(scheduler_path, index);
  SchedulerSettings scheduler = parse_scheduler(scheduler_config, scheduler_path.string());
  ParamStore params = read_weights(WeightFiles::open(unet_dir), layout_of(config));
  Model model{std::move(config),
              std::move(scheduler.preconditioner),
              {},
              {},
              scheduler.clip_x0,
              std::move(params),
              std::move(scheduler.sampling),
              std::move(scheduler_config),
              std::move(index.pipeline_class)};
  read_extras(directory / "diffusion.json", model);
  return model;
}

}  // namespace diffusion
