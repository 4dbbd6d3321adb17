#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <memory>

#include <diffusion/edit.h>
#include <diffusion/error.h>
#include "cli/commands/commands.h"
#include "cli/options/edit_options.h"
#include "cli/options/options.h"
#include "cli/options/picture_input.h"
#include "cli/output/picture_output.h"
#include "formats/npy.h"

namespace diffusion {

namespace {

struct InvertCommand {
  std::string image, out = "noise.npy";
  EditSampling sampling;
  bool json = false, quiet = false;
};

int run(const CLI::App& app, const InvertCommand& o) {
  if (parse_output(o.out).form != PictureForm::npy)
    throw Error(ErrorKind::usage, fmt::format("--out is {}; accepted are names that end in .npy", o.out));
  EditSetup setup(app, o.sampling, "heun");
  const GivenPictures given = read_pictures(o.image, setup.model());
  const GenerateOptions sampling = setup.sampling(int(given.images.size()));
  const auto device = make_device(o.sampling.machine);
  const auto start = std::chrono::steady_clock::now();
  StepProgress progress("invert", sampling.count, o.quiet);
  const std::vector<float> noise = invert(setup.model(), *device, given.images, sampling, progress.on_step());
  progress.finish();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const Image& form = given.images.front();
  write_npy(o.out, std::array<std::int64_t, 4>{sampling.count, form.channels, form.height, form.width},
            noise);
  const std::string_view sampler = name_of(sampling.recipe->sampler);
  if (o.json) {
    print_json(Json::Object{{"model", path_to_json(o.sampling.model)},
                            {"image", path_to_json(o.image)},
                            {"count", sampling.count},
                            {"sampler", sampler},
                            {"steps", sampling.recipe->steps},
                            {"seconds", seconds},
                            {"outputs", Json::Array{path_to_json(o.out)}}});
    return 0;
  }
  print_line(
      fmt::format("the noise of {} in {:.1f} s: {}", counted_pictures(sampling.count), seconds, o.out));
  std::string label = sampling.without_class ? " --label none" : "";
  if (sampling.label) label = fmt::format(" --label {}", *sampling.label);
  print_line(fmt::format("back: diffusion sample {} --noise {} --sampler {} --steps {}{}", o.sampling.model,
                         o.out, sampler, sampling.recipe->steps, label));
  return 0;
}

}  // namespace

std::function<int()> add_invert(CLI::App& app) {
  const auto o = std::make_shared<InvertCommand>();
  add_edit_model_option(app, o->sampling);
  add_pictures_option(app, o->image);
  app.add_option("-o,--out", o->out, "What to write: float32 [N, C, H, W], for diffusion sample --noise")
      ->type_name("FILE")
      ->capture_default_str();
  add_edit_sampling_options(app, o->sampling);
  add_json_flag(app, o->json);
  add_quiet_flag(app, o->quiet);
  app.footer(
      "The samplers heun (default), ddim and euler can be turned around. Sample with the same sampler, "
      "steps, label "
      "and guidance.\n"
      "Example:\n"
      "  diffusion invert fashion-mnist boot.png --steps 20 -o noise.npy\n"
      "  diffusion sample fashion-mnist --noise noise.npy --sampler heun --steps 20 --label none -o "
      "boot-again.png");
  return [&app, o] { return run_stoppable([&] { return run(app, *o); }); };
}

}  // namespace diffusion
