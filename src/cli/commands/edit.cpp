#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>
#include <memory>
#include <optional>

#include <diffusion/edit.h>
#include <diffusion/error.h>
#include "cli/commands/commands.h"
#include "cli/options/edit_options.h"
#include "cli/options/options.h"
#include "cli/options/picture_input.h"
#include "cli/output/picture_result.h"

namespace diffusion {

namespace {

struct EditCommand {
  std::string image, mask;
  std::optional<double> strength;
  int variations = 1, jump = 10, resample = 10;
  EditSampling sampling;
  ResultOptions result;
};

constexpr double kDefaultStrength = 0.6;

EditOptions options_of(const EditCommand& o, const GenerateOptions& sampling, const GivenPictures& given,
                       const Model& model) {
  EditOptions options;
  options.sampling = sampling;
  options.strength = o.strength.value_or(o.mask.empty() ? kDefaultStrength : 1);
  if (!o.mask.empty()) options.mask = read_mask(o.mask, given, model);
  options.jump = o.jump;
  options.resample = o.resample;
  return options;
}

void report(const EditCommand& o, const EditOptions& options, const Model& model, double seconds) {
  const GenerateOptions& g = options.sampling;
  const NoiseLevels levels = levels_of(*g.recipe, model);
  const int steps = int(levels.sigmas.size()) - 1, first = first_step_of(options.strength, steps);
  const double sigma = levels.sigmas[std::size_t(first)];
  if (o.result.json)
    return print_json(Json::Object{{"model", path_to_json(o.sampling.model)},
                                   {"image", path_to_json(o.image)},
                                   {"count", g.count},
                                   {"strength", options.strength},
                                   {"sigma", sigma},
                                   {"steps", steps - first},
                                   {"sampler", name_of(g.recipe->sampler)},
                                   {"seconds", seconds},
                                   {"outputs", Json::Array{path_to_json(o.result.out)}}});
  print_line(fmt::format("{} from noise level {:.3g} in {:.1f} s: {}", counted_pictures(g.count), sigma,
                         seconds, o.result.out));
}

int run(const CLI::App& app, const EditCommand& o) {
  const PictureOutput output = check_result(app, o.result);
  check_in_range("--strength", o.strength.value_or(0), 0, 1, "0 (the picture) to 1 (anything)");
  for (const char* option : {"--jump", "--resample"})
    if (o.mask.empty() && app.count(option) > 0)
      throw Error(ErrorKind::usage, fmt::format("{} needs --mask", option));
  EditSetup setup(app, o.sampling, {});
  const GivenPictures given = read_pictures(o.image, setup.model());
  GenerateOptions sampling = setup.sampling(count_of_variations(int(given.images.size()), o.variations));
  const EditOptions options = options_of(o, sampling, given, setup.model());
  const Image& form = given.images.front();
  check_result_fits(output, o.result, sampling.count, form.channels, form.width, form.height);
  const auto [images, seconds] =
      make_images("edit", sampling.count, o.result.quiet, o.sampling.machine,
                  [&](const Device& device, const auto& on_step) {
                    return edit(setup.model(), device, given.images, options, on_step);
                  });
  write_result(output, o.result, images, sampling.first);
  report(o, options, setup.model(), seconds);
  return 0;
}

}  // namespace

std::function<int()> add_edit(CLI::App& app) {
  const auto o = std::make_shared<EditCommand>();
  const int most = std::numeric_limits<int>::max();
  add_edit_model_option(app, o->sampling);
  add_pictures_option(app, o->image);
  app.add_option(
         "--strength", o->strength,
         "Share of the steps to take, from the picture with so much noise:\n0 is the picture, 1 anything "
         "(default: 0.6; with --mask 1)")
      ->type_name("S");
  app.add_option(
         "--mask", o->mask,
         "Black and white picture of the same size: draw what is white anew,\nkeep what is black to the byte "
         "(RePaint)")
      ->type_name("FILE");
  app.add_option("--jump", o->jump,
                 "With --mask: go up by so many levels now and then, so that both parts agree")
      ->check(in_range(1, most))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--resample", o->resample, "With --mask: go through these levels so often; 1 never goes up")
      ->check(in_range(1, most))
      ->type_name("N")
      ->capture_default_str();
  add_variations_option(app, o->variations);
  add_edit_sampling_options(app, o->sampling);
  add_result_options(app, o->result, "edited.png");
  app.footer(
      "Examples:\n"
      "  diffusion edit fashion-mnist boot.png --strength 0.5 --variations 9\n"
      "  diffusion edit fashion-mnist boot.png --mask hole.png --label \"ankle boot\" -o whole.png");
  return [&app, o] { return run_stoppable([&] { return run(app, *o); }); };
}

}  // namespace diffusion
