#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>

#include <diffusion/edit.h>
#include <diffusion/error.h>
#include "cli/commands/commands.h"
#include "cli/options/edit_options.h"
#include "cli/options/options.h"
#include "cli/options/picture_input.h"
#include "cli/output/picture_result.h"
#include "diffusion/generate_request.h"

namespace diffusion {

namespace {

struct InterpolateCommand {
  std::string a, b;
  int frames = 16, delay = 0;
  EditSampling sampling;
  ResultOptions result;
};

enum class EndKind { seed, picture, words };

std::optional<std::uint64_t> parse_seed(const std::string& text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return seed;
}

// A number is a seed, a file a picture, anything else a class or words.
EndKind kind_of(const std::string& text) {
  if (parse_seed(text)) return EndKind::seed;
  std::error_code ignored;
  return std::filesystem::is_regular_file(text, ignored) ? EndKind::picture : EndKind::words;
}

EndKind kind_of_both(const InterpolateCommand& o) {
  const EndKind kind = kind_of(o.a);
  if (kind_of(o.b) != kind)
    throw Error(
        ErrorKind::usage,
        fmt::format("\"{}\" and \"{}\" are not of one kind; accepted are two seeds (numbers), two pictures "
                    "(files), or two classes or prompts",
                    o.a, o.b));
  return kind;
}

// The ends, pictures as their noise.
std::vector<InterpolationEnd> ends_of(const InterpolateCommand& o, EndKind kind, Model& model,
                                      const Device& device, const GenerateOptions& sampling) {
  std::vector<InterpolationEnd> ends(2);
  for (std::size_t k = 0; k < 2; ++k) {
    const std::string& text = k == 0 ? o.a : o.b;
    InterpolationEnd& end = ends[k];
    end.seed = kind == EndKind::seed ? *parse_seed(text) : sampling.seed;
    if (!sampling.prompts.empty()) end.prompt = sampling.prompts.front();
    if (kind == EndKind::picture) {
      const GivenPictures given = read_pictures(text, model);
      StepProgress progress("invert", 1, o.result.quiet);
      end.noise = invert(model, device, std::span(given.images).first(1), sampling, progress.on_step());
      progress.finish();
    }
    if (kind != EndKind::words) continue;
    if (model.tokenizer) {
      end.prompt = text;
    } else {
      GenerateOptions of_label;
      apply_label(text, model, of_label);
      end.label = of_label.label;
    }
  }
  return ends;
}

// A frame of an animation.
Grid frame_of(const InterpolateCommand& o, int width, int height) {
  constexpr int kVisibleSide = 128;
  return {1, o.result.scale > 0 ? o.result.scale : std::max(kVisibleSide / std::max(width, height), 1)};
}

void check_frames_fit(const PictureOutput& output, const InterpolateCommand& o, const PictureSize& size) {
  check_result_fits(output, o.result, o.frames, size.channels, size.width, size.height);
  if (output.form == PictureForm::gif)
    check_grid_fits(output, frame_of(o, size.width, size.height), 1, size.width, size.height);
}

void write_frames(const PictureOutput& output, const InterpolateCommand& o, std::span<const Image> images) {
  if (output.form != PictureForm::gif) return write_result(output, o.result, images, 0);
  std::vector<Image> frames;
  for (const Image& image : images)
    frames.push_back(draw(frame_of(o, image.width, image.height), std::span(&image, 1)));
  write_animation(output.path, frames, o.delay);
}

int run(const CLI::App& app, const InterpolateCommand& o) {
  const PictureOutput output = check_result(app, o.result);
  if (app.count("--delay") > 0 && output.form != PictureForm::gif)
    throw Error(ErrorKind::usage, "--delay is for outputs that end in .gif");
  const EndKind kind = kind_of_both(o);
  EditSetup setup(app, o.sampling,
                  kind == EndKind::picture ? std::optional<std::string>("heun") : std::nullopt);
  GenerateOptions sampling = setup.sampling(kind == EndKind::picture ? 1 : o.frames);
  if (kind == EndKind::words && !setup.model().tokenizer) {  // an end without a label is "none"
    sampling.label.reset();
    sampling.without_class = setup.model().null_class.has_value();
  }
  check_frames_fit(output, o, size_of(setup.model(), sampling));
  const auto device = make_device(o.sampling.machine);
  const std::vector<InterpolationEnd> ends = ends_of(o, kind, setup.model(), *device, sampling);
  sampling.batch = o.sampling.generate.batch;
  StepProgress progress("interpolate", o.frames, o.result.quiet);
  const std::vector<Image> images =
      interpolate(setup.model(), *device, ends[0], ends[1], o.frames, sampling, progress.on_step());
  progress.finish();
  write_frames(output, o, images);
  if (o.result.json)
    print_json(Json::Object{{"model", path_to_json(o.sampling.model)},
                            {"frames", o.frames},
                            {"sampler", name_of(sampling.recipe->sampler)},
                            {"steps", sampling.recipe->steps},
                            {"outputs", Json::Array{path_to_json(o.result.out)}}});
  else
    print_line(fmt::format("{} pictures from {} to {}: {}", o.frames, o.a, o.b, o.result.out));
  return 0;
}

}  // namespace

std::function<int()> add_interpolate(CLI::App& app) {
  const auto o = std::make_shared<InterpolateCommand>();
  add_edit_model_option(app, o->sampling);
  for (const auto& [name, end] : {std::pair{"A", &o->a}, {"B", &o->b}})
    app.add_option(name, *end,
                   name[0] == 'A' ? "Where to begin: a number is a seed, a file a picture, anything else "
                                    "a class\nor a prompt"
                                  : "Where to end, of the same kind")
        ->required()
        ->type_name("");
  app.add_option("--frames", o->frames, "Pictures to make, both ends included")
      ->check(in_range(2, 10'000))
      ->type_name("N")
      ->capture_default_str();
  add_edit_sampling_options(app, o->sampling);
  add_result_options(app, o->result, "film.gif");
  add_delay_option(app, o->delay);
  app.footer(
      "The noise is turned from that of A to that of B (slerp). Pictures are inverted first, with the "
      "sampler heun "
      "unless\nanother is given. From class to class, or prompt to prompt, the noise is one, that of "
      "--seed.\n"
      "Examples:\n"
      "  diffusion interpolate fashion-mnist 1 2 --frames 32 -o film.gif\n"
      "  diffusion interpolate fashion-mnist sneaker \"ankle boot\" --frames 8 -o row.png --columns 8");
  return [&app, o] { return run_stoppable([&] { return run(app, *o); }); };
}

}  // namespace diffusion
