#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include <diffusion/error.h>
#include <diffusion/purify.h>
#include "cli/commands/commands.h"
#include "cli/options/edit_options.h"
#include "cli/options/options.h"
#include "cli/options/picture_input.h"
#include "cli/output/picture_result.h"

namespace diffusion {

namespace {

struct PurifyCommand {
  std::string image;
  double level = PurifyOptions{}.level;
  EditSampling sampling;
  ResultOptions result;
};

int run(const CLI::App& app, const PurifyCommand& o) {
  const PictureOutput output = check_result(app, o.result);
  EditSetup setup(app, o.sampling, "ddpm");
  PurifyOptions options{setup.purification(1), o.level};
  static_cast<void>(from_level(*options.sampling.recipe, setup.model(), o.level));  // before anything is read
  const GivenPictures given = read_pictures(o.image, setup.model());
  const int count = int(given.images.size());
  options.sampling = setup.purification(count);
  const Image& form = given.images.front();
  check_result_fits(output, o.result, count, form.channels, form.width, form.height);
  const auto [images, seconds] = make_images(
      "purify", count, o.result.quiet, o.sampling.machine, [&](const Device& device, const auto& on_step) {
        return purify(setup.model(), device, given.images, options, on_step);
      });
  write_result(output, o.result, images, options.sampling.first);
  if (o.result.json)
    print_json(Json::Object{{"model", path_to_json(o.sampling.model)},
                            {"image", path_to_json(o.image)},
                            {"count", count},
                            {"level", o.level},
                            {"steps", options.sampling.recipe->steps},
                            {"sampler", name_of(options.sampling.recipe->sampler)},
                            {"seconds", seconds},
                            {"outputs", Json::Array{path_to_json(o.result.out)}}});
  else
    print_line(fmt::format("{} purified from noise level {:.3g} in {:.1f} s: {}", counted_pictures(count),
                           o.level, seconds, o.result.out));
  return 0;
}

}  // namespace

std::function<int()> add_purify(CLI::App& app) {
  const auto o = std::make_shared<PurifyCommand>();
  add_edit_model_option(app, o->sampling);
  add_pictures_option(app, o->image);
  app.add_option("--level", o->level,
                 "Standard deviation of the noise that the pictures get, pixels being from -1 to 1")
      ->type_name("SIGMA")
      ->capture_default_str();
  add_edit_sampling_options(app, o->sampling);
  add_result_options(app, o->result, "clean.png");
  app.footer(
      "The sampler is ddpm with 1 step unless --sampler and --steps say otherwise.\n"
      "It makes attacks on a classifier harder, and is no guarantee of security (docs/purification.md).\n"
      "Example:\n"
      "  diffusion purify fashion-mnist attacked.npy --level 0.2 -o clean.npy");
  return [&app, o] { return run_stoppable([&] { return run(app, *o); }); };
}

}  // namespace diffusion
