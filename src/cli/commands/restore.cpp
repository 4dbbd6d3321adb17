#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include <diffusion/error.h>
#include <diffusion/restore.h>
#include "cli/commands/commands.h"
#include "cli/commands/restore_task.h"
#include "cli/options/edit_options.h"
#include "cli/options/options.h"
#include "cli/output/picture_result.h"

namespace diffusion {

namespace {

struct RestoreCommand {
  RestoreTaskOptions task;
  std::string method = "ddnm";
  double eta = RestoreOptions{}.eta, dps_step = RestoreOptions{}.dps_step;
  int variations = 1;
  EditSampling sampling;
  ResultOptions result;
};

// dps is made for the steps of ddpm, and pigdm for those of ddim.
std::optional<std::string> sampler_for(RestoreMethod method) {
  if (method == RestoreMethod::dps) return "ddpm";
  if (method == RestoreMethod::pigdm) return "ddim";
  return std::nullopt;
}

int run(const CLI::App& app, const RestoreCommand& o) {
  constexpr int kStepsWithProducts = 100;
  const PictureOutput output = check_result(app, o.result);
  const RestoreMethod method = parse_restore_method(o.method);
  check_task(o.task);
  check_in_range("--renewed", o.eta, 0, 1, "0 to 1");
  EditSampling chosen = o.sampling;
  if (sampler_for(method) && !chosen.sampling.steps) chosen.sampling.steps = kStepsWithProducts;
  EditSetup setup(app, chosen, sampler_for(method));
  const Measurement given = read_measurement(o.task, setup.model(), o.sampling.generate);
  const int count = count_of_variations(given.count, o.variations);
  RestoreOptions options{.sampling = setup.sampling(count),
                         .method = method,
                         .sigma = o.task.sigma,
                         .eta = o.eta,
                         .dps_step = o.dps_step};
  const NetworkTraits traits = setup.model().traits();
  check_result_fits(output, o.result, count, traits.in_channels, traits.sample_size[1],
                    traits.sample_size[0]);
  const auto [images, seconds] = make_images(
      "restore", count, o.result.quiet, o.sampling.machine, [&](const Device& device, const auto& on_step) {
        return restore(setup.model(), device, given.a, given.numbers, options, on_step);
      });
  write_result(output, o.result, images, options.sampling.first);
  if (o.result.json)
    print_json(Json::Object{{"model", path_to_json(o.sampling.model)},
                            {"image", path_to_json(o.task.image)},
                            {"task", o.task.task},
                            {"method", to_string(method)},
                            {"sigma", o.task.sigma},
                            {"count", count},
                            {"steps", options.sampling.recipe->steps},
                            {"seconds", seconds},
                            {"outputs", Json::Array{path_to_json(o.result.out)}}});
  else
    print_line(fmt::format("{} restored with {} in {:.1f} s: {}", counted_pictures(count), to_string(method),
                           seconds, o.result.out));
  return 0;
}

void add_method_options(CLI::App& app, RestoreCommand& o) {
  const char* group = "Method";
  app.add_option(
         "--method", o.method,
         "How the measurement comes into sampling:\n"
         "  ddnm: what is measured takes the place of the estimate's, Wang et al. 2023\n"
         "  ddrm: the same, drawn anew in every step, Kawar et al. 2022; with noise there is no difference\n"
         "  dps: gradients of the measurement's error, Chung et al. 2023\n"
         "  pigdm: gradients weighted by what is uncertain, Song et al. 2023\n"
         "(dps and pigdm take two evaluations a step, and 100 steps unless --steps is given)")
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  app.add_option("--renewed", o.eta, "ddnm, ddrm: the share of noise that is new in a step, 0 to 1")
      ->type_name("X")
      ->capture_default_str()
      ->group(group);
  app.add_option("--dps-step", o.dps_step, "dps: how far a step goes towards the measurement")
      ->type_name("X")
      ->capture_default_str()
      ->group(group);
}

}  // namespace

std::function<int()> add_restore(CLI::App& app) {
  const auto o = std::make_shared<RestoreCommand>();
  add_edit_model_option(app, o->sampling);
  add_task_options(app, o->task);
  add_variations_option(app, o->variations);
  add_method_options(app, *o);
  add_edit_sampling_options(app, o->sampling);
  add_result_options(app, o->result, "restored.png");
  app.footer(
      "Examples:\n"
      "  diffusion restore fashion-mnist small.png --task upscale-2 -o large.png\n"
      "  diffusion restore fashion-mnist boot.png --measure --task mask --mask hole.png --sigma 0.05 "
      "--method pigdm");
  return [&app, o] { return run_stoppable([&] { return run(app, *o); }); };
}

}  // namespace diffusion
