#include "diffusers/pipeline_index.h"

#include <fmt/format.h>

#include <diffusion/error.h>
#include "files/folders.h"
#include "files/fs.h"

namespace diffusion {

namespace {

constexpr const char *kTextEncoder = "CLIPTextModel", *kTokenizer = "CLIPTokenizer";

void require_clip(const std::string& component, const std::string& where, const std::string& library,
                  const std::string& type) {
  const std::string accepted = component == "tokenizer" ? kTokenizer : kTextEncoder;
  if (library != "transformers" || (type != accepted && type != accepted + "Fast"))
    throw Error(ErrorKind::bad_input, fmt::format("{} is a {} of {}; accepted is the {} of transformers",
                                                  where, type, library, accepted));
}

}  // namespace

PipelineIndex read_pipeline_index(const std::filesystem::path& file) {
  constexpr std::uint64_t kMaxBytes = 1 << 20;
  PipelineIndex index;
  if (!path_exists(file)) return index;
  const std::string source = file.string();
  const Json json = parse_json(read_text_file(file, kMaxBytes), source);
  for (const auto& [name, value] : to_object(json, source)) {
    const std::string where = fmt::format("{}: field {}", source, name);
    if (name == "_class_name") index.pipeline_class = to_string(value, where);
    // Options of the pipeline are plain values; components are [library, class], and [null, null] is none.
    const auto* pair = std::get_if<Json::Array>(&value.value());
    if (name.starts_with('_') || !pair || (pair->size() == 2 && (*pair)[0].is_null())) continue;
    if (pair->size() != 2)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} has {} values, expected [library, class]", where, pair->size()));
    const std::string &library = to_string((*pair)[0], where), &type = to_string((*pair)[1], where);
    if (name == "text_encoder" || name == "tokenizer") {
      require_clip(name, where, library, type);
      index.has_words = true;
      continue;
    }
    if (name != "unet" && name != "scheduler")
      throw Error(
          ErrorKind::bad_input,
          fmt::format("{} is a {}; accepted are pipelines of a unet, a scheduler, and perhaps a text_encoder "
                      "and a tokenizer: what makes pictures out of noise and words, and nothing else",
                      where, type));
    if (library != "diffusers" && !(name == "unet" && library == kOwnLibrary))
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} is from the library \"{}\"; accepted is diffusers", where, library));
    (name == "unet" ? index.unet_class : index.scheduler_class) = type;
  }
  return index;
}

Json to_json(const PipelineIndex& index, std::string_view unet_library) {
  Json::Object o{{"_class_name", index.pipeline_class},
                 {"_diffusers_version", kDiffusersVersion},
                 {"scheduler", Json::Array{"diffusers", index.scheduler_class.value()}},
                 {"unet", Json::Array{unet_library, index.unet_class.value()}}};
  if (index.has_words) {
    o["text_encoder"] = Json::Array{"transformers", kTextEncoder};
    o["tokenizer"] = Json::Array{"transformers", kTokenizer};
  }
  return o;
}

}  // namespace diffusion
