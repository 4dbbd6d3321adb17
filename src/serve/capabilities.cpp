#include <diffusion/models.h>
#include "serve/own_parts.h"

namespace diffusion::serve {

namespace {

Json::Array names_of_samplers(const Model& model) {
  Json::Array all;
  for (const SamplerEntry& entry : samplers()) {
    Json::Array options;
    for (const std::string_view option : option_names(entry.sampler)) options.push_back(option);
    all.push_back(
        Json::Object{{"name", entry.name},
                     {"description", entry.reference},
                     {"stochastic", facts_of(entry.sampler).stochastic},
                     {"usual_steps", with_sampler(scheduler_recipe(model), entry.sampler, model).steps},
                     {"options", options}});
  }
  return all;
}

}  // namespace

Json capabilities(const Services& services) {
  Json::Array models;
  for (const ServedModel* served : services.engine.models()) {
    const Model& model = served->model();
    const ModelFacts facts = facts_of(model);
    const SamplingRecipe recipe = default_recipe(model);
    Json::Array classes, times;
    for (const std::string& name : facts.class_names) classes.push_back(name);
    for (const BatchTime& time : served->times().all())
      times.push_back(Json::Object{{"rows", std::int64_t(time.rows)}, {"seconds", time.seconds}});
    models.push_back(Json::Object{{"name", served->name()},
                                  {"network", facts.network},
                                  {"parameters", facts.parameters},
                                  {"channels", facts.channels},
                                  {"height", facts.height},
                                  {"width", facts.width},
                                  {"class_count", facts.class_count},
                                  {"class_names", classes},
                                  {"words", model.tokenizer.has_value()},
                                  {"guidance", facts.has_guidance || model.tokenizer.has_value()},
                                  {"default", Json::Object{{"sampler", name_of(recipe.sampler)},
                                                           {"steps", recipe.steps},
                                                           {"guidance", recipe.guidance.scale}}},
                                  {"samplers", names_of_samplers(model)},
                                  {"evaluation_times", times}});
  }
  const WishLimits& limits = services.options.limits;
  return Json::Object{
      {"models", models},
      {"limits", Json::Object{{"count", limits.images},
                              {"steps", limits.steps},
                              {"upload_pixels", limits.upload_pixels},
                              {"waiting_jobs", services.options.engine.waiting},
                              {"body_bytes", std::int64_t(services.options.http.body_bytes)}}}};
}

}  // namespace diffusion::serve
