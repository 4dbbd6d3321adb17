#include "diffusion/model.h"

#include <fmt/format.h>

#include "base/error.h"
#include "io/fs.h"
#include "io/safetensors.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxConfigBytes = 4 << 20;
constexpr const char* kWeights = "diffusion_pytorch_model.safetensors";

Json read_json(const fs::path& path) {
  return parse_json(read_text_file(path, kMaxConfigBytes), path.string());
}

// <dir>/<component>/ if it exists, else <dir> itself, as diffusers does.
fs::path component(const fs::path& directory, const char* name) {
  return fs::is_directory(directory / name) ? directory / name : directory;
}

void read_weights(const fs::path& path, ParamStore& params) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (const ParamLayout::Entry& entry : params.layout().entries()) {
    const TensorView* view = file.find(entry.name);
    if (!view)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{}: tensor {} is missing; the file does not fit its config.json",
                              path.string(), entry.name));
    if (view->dims != entry.dims)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{}: tensor {} has shape [{}], its config.json asks for [{}]", path.string(),
                              entry.name, fmt::join(view->dims, ", "), fmt::join(entry.dims, ", ")));
    read_f32(*view, params.values(entry));
  }
  if (file.tensors().size() != params.layout().entries().size())
    for (const TensorView& view : file.tensors())
      if (!params.layout().find(view.name))
        throw Error(ErrorKind::bad_input,
                    fmt::format("{}: tensor {} is not part of the network that its config.json "
                                "describes",
                                path.string(), view.name));
  params.mark_changed();
}

// Class names and null class, where we wrote them.
void read_extras(const fs::path& path, Model& model) {
  if (!fs::exists(path)) return;
  const Json json = read_json(path);
  const auto where = [&](const char* field) { return fmt::format("{}: field {}", path.string(), field); };
  if (const Json* names = json.find("class_names"))
    for (const Json& name : to_array(*names, where("class_names")))
      model.class_names.push_back(to_string(name, where("class_names")));
  if (const Json* row = json.find("null_class"); row && !row->is_null()) {
    const std::int64_t null_class = to_int(*row, where("null_class"));
    if (null_class != model.traits().num_class_embeds - 1)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} is {}, expected the last row of the class table, {}", where("null_class"),
                              null_class, model.traits().num_class_embeds - 1));
    model.null_class = int(null_class);
  }
  if (!model.class_names.empty() && int(model.class_names.size()) != model.class_count())
    throw Error(ErrorKind::bad_input, fmt::format("{} has {} names for {} classes", where("class_names"),
                                                  model.class_names.size(), model.class_count()));
}

}  // namespace

ParamLayout layout_of(const NetworkConfig& config) {
  const NetworkTraits traits = traits_of(config);
  const auto side = [&](int size) { return size > 0 ? size : traits.size_multiple; };
  return ParamLayout(make_network(config, 1, side(traits.sample_size[0]), side(traits.sample_size[1])).graph);
}

void write_pipeline(const fs::path& directory, const Model& model, std::span<const float> weights) {
  const Json scheduler = scheduler_to_json(model.preconditioner, model.clip_x0);
  const NetworkTraits traits = model.traits();
  const bool in_diffusers = std::holds_alternative<UNetConfig>(model.network);
  const Json::Object index{
      {"_class_name", "DDPMPipeline"},
      {"_diffusers_version", "0.30.3"},
      {"scheduler", Json::Array{"diffusers", *scheduler.find("_class_name")}},
      {"unet", Json::Array{in_diffusers ? "diffusers" : "diffusion.cpp", traits.type}},
  };
  Json::Array names;
  for (const std::string& name : model.class_names) names.emplace_back(name);
  const Json::Object extras{{"class_names", std::move(names)},
                            {"null_class", model.null_class ? Json(*model.null_class) : Json(nullptr)}};

  std::vector<TensorToWrite> tensors;
  for (const ParamLayout::Entry& entry : model.params.layout().entries())
    tensors.push_back({entry.name, entry.dims, weights.subspan(entry.offset, entry.size)});
  fs::create_directory(directory / "unet");
  fs::create_directory(directory / "scheduler");
  write_file(directory / "model_index.json", dump_json(index, 2) + "\n");
  write_file(directory / "diffusion.json", dump_json(extras, 2) + "\n");
  write_file(directory / "unet/config.json", dump_json(to_json(model.network), 2) + "\n");
  write_file(directory / "scheduler/scheduler_config.json", dump_json(scheduler, 2) + "\n");
  write_safetensors(directory / "unet" / kWeights, tensors);
}

Model read_pipeline(const fs::path& directory) {
  if (!fs::is_directory(directory))
    throw Error(
        ErrorKind::bad_input,
        fmt::format("{} is not a directory; a model is a pipeline directory or a run", directory.string()));
  const fs::path unet_dir = component(directory, "unet"), scheduler_dir = component(directory, "scheduler");
  if (!fs::exists(unet_dir / "config.json"))
    throw Error(ErrorKind::bad_input,
                fmt::format("{} holds no model: there is no unet/config.json and no config.json",
                            directory.string()));
  const fs::path config_path = unet_dir / "config.json",
                 scheduler_path = scheduler_dir / "scheduler_config.json";
  NetworkConfig config = parse_network_config(read_json(config_path), config_path.string());
  SchedulerSettings scheduler = parse_scheduler(read_json(scheduler_path), scheduler_path.string());
  ParamStore params(layout_of(config));
  Model model{std::move(config), std::move(scheduler.preconditioner), {}, {}, scheduler.clip_x0,
              std::move(params), std::move(scheduler.sampling)};
  if (!fs::exists(unet_dir / kWeights) && fs::exists(unet_dir / "diffusion_pytorch_model.bin"))
    throw Error(
        ErrorKind::bad_input,
        fmt::format(
            "{} is a Python pickle, which can run code and is never read; load it in diffusers and save "
            "it again with safe_serialization=True",
            (unet_dir / "diffusion_pytorch_model.bin").string()));
  read_weights(unet_dir / kWeights, model.params);
  read_extras(directory / "diffusion.json", model);
  return model;
}

}  // namespace diffusion
