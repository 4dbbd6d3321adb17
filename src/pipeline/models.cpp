#include <diffusion/models.h>

#include <fmt/format.h>

#include <system_error>

#include <diffusion/error.h>
#include "diffusers/pipeline.h"
#include "diffusion/model.h"
#include "files/fs.h"

namespace diffusion {

std::shared_ptr<const Model> read_model(const std::filesystem::path& model) {
  return std::make_shared<const Model>(read_pipeline(find_pipeline(model), WeightPlace::as_fits));
}

void save_model(const Model& model, const std::filesystem::path& directory) {
  const std::filesystem::path path = directory.has_filename() ? directory : directory.parent_path();
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(path, ignored)))
    throw Error(ErrorKind::usage,
                fmt::format("{} exists; name a directory that does not", directory.string()));
  AtomicDirectory written(path);
  if (model.params.is_flat())
    write_pipeline(written.path(), model, model.params.values());
  else
    write_pipeline(written.path(), model, model.params.to_flat().values());
  written.commit();
}

ModelFacts facts_of(const Model& model) {
  const NetworkTraits traits = model.traits();
  const Preconditioner& preconditioner = model.preconditioner;
  ModelFacts facts{.network = std::string(traits.type),
                   .objective = std::string(to_string(preconditioner.objective())),
                   .parameters = model.params.layout().parameter_count(),
                   .channels = traits.in_channels,
                   .height = traits.sample_size[0],
                   .width = traits.sample_size[1],
                   .size_multiple = traits.size_multiple,
                   .timesteps = preconditioner.facts().discrete_levels,
                   .sigma_min = preconditioner.sigma_min(),
                   .sigma_max = preconditioner.sigma_max(),
                   .class_count = model.class_count(),
                   .class_names = model.class_names,
                   .has_guidance = model.null_class.has_value(),
                   .conditions = {}};
  for (const ConditionTraits& condition : traits.conditions)
    facts.conditions.push_back({std::string(condition.name), condition.size});
  return facts;
}

}  // namespace diffusion
