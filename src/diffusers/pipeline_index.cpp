#include "diffusers/pipeline_index.h"

#include <fmt/format.h>

#include <diffusion/error.h>
#include "files/folders.h"
#include "files/fs.h"

namespace diffusion {

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
    if (name != "unet" && name != "scheduler")
      throw Error(
          ErrorKind::bad_input,
          fmt::format("{} is a {}; accepted are pipelines of a unet and a scheduler alone, which make "
                      "pictures out of noise and nothing else",
                      where, type));
    if (library != "diffusers" && !(name == "unet" && library == kOwnLibrary))
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} is from the library \"{}\"; accepted is diffusers", where, library));
    (name == "unet" ? index.unet_class : index.scheduler_class) = type;
  }
  return index;
}

Json to_json(const PipelineIndex& index, std::string_view unet_library) {
  return Json::Object{{"_class_name", index.pipeline_class},
                      {"_diffusers_version", kDiffusersVersion},
                      {"scheduler", Json::Array{"diffusers", index.scheduler_class.value()}},
                      {"unet", Json::Array{unet_library, index.unet_class.value()}}};
}

}  // namespace diffusion
