#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include <diffusion/error.h>
#include <diffusion/generate.h>
#include "base/log.h"
#include "base/progress.h"
#include "cli/commands/commands.h"
#include "cli/commands/sample_images.h"
#include "cli/options/model_path.h"
#include "cli/options/options.h"
#include "cli/options/prompt_options.h"
#include "cli/options/sampling_options.h"
#include "cli/options/several_processes.h"
#include "cli/options/stop_signal.h"
#include "cli/output/picture_output.h"
#include "cli/output/sound_output.h"
#include "diffusers/pipeline.h"
#include "diffusion/model.h"
#include "diffusion/pictures.h"
#include "exchange/processes.h"
#include "sound/mel_picture.h"
#include "train/generate_together.h"

namespace diffusion {

namespace {

constexpr int kDefaultFrames = 100;

struct SampleOptions {
  std::string model = "fashion-mnist", out = "samples.png", gif, raw;
  GenerateOptions generate;
  SamplingOptions sampling;
  PromptOptions words;
  int columns = 0, scale = 0, frames = kDefaultFrames, delay = 0;
  MachineOptions machine;
  ProcessesOptions processes;
  bool show = false, json = false, quiet = false;
};

// Choices that depend on the model.
GenerateOptions resolve(const CLI::App& app, const SampleOptions& o, const Model& model, Model* guide) {
  GenerateOptions g = o.generate;
  apply_sampling_options(o.sampling, model, guide, g);
  apply_prompt_options(app, o.words, model, g);
  if (!o.sampling.noise.empty()) {
    g.noise = read_start_noise(o.sampling.noise, model);
    const NetworkTraits traits = model.traits();
    const auto images = int(g.noise.size() / std::size_t(traits.in_channels) /
                            std::size_t(traits.sample_size[0]) / std::size_t(traits.sample_size[1]));
    if (app.count("--count") == 0) g.count = images;
    if (g.count != images)
      throw Error(ErrorKind::usage,
                  fmt::format("--count is {}, and {} is the noise of {} images; accepted is {}", g.count,
                              o.sampling.noise, images, images));
  }
  if (g.first > std::numeric_limits<int>::max() - g.count)
    throw Error(ErrorKind::usage, fmt::format("--first is {}; with {} images accepted is at most {}", g.first,
                                              g.count, std::numeric_limits<int>::max() - g.count));
  g.batch = std::min(g.batch, g.count);
  return g;
}

// A class in each column if that fills a row, else about a square.
int default_columns(const Model& model, const GenerateOptions& g) {
  constexpr int kMostClassColumns = 20;
  const int classes = model.class_count();
  if (!g.label && !g.without_class && classes > 1 && classes <= kMostClassColumns && classes <= g.count)
    return classes;
  return int(std::ceil(std::sqrt(g.count)));
}

Grid choose_grid(const Model& model, const SampleOptions& o, const GenerateOptions& g) {
  constexpr int kVisibleSide = 64;
  const int side = std::max(model.traits().sample_size[0], model.traits().sample_size[1]);
  return {o.columns > 0 ? o.columns : default_columns(model, g),
          o.scale > 0 ? o.scale : std::max(kVisibleSide / side, 1)};
}

// -o x.wav is one clip, unless more are asked for, which it cannot be.
void take_one_clip(bool count_given, GenerateOptions& g) {
  if (count_given && g.count != 1)
    throw Error(
        ErrorKind::usage,
        fmt::format("--count is {}, and --out is one .wav file; give a directory for several", g.count));
  g.count = g.batch = 1;
}

// Spectrograms as people look at them.
void turn_upright(std::vector<Image>& mels) {
  for (Image& mel : mels) mel = upright(mel);
}

// What is not written already.
void write(const PictureOutput& output, const Grid& grid, std::span<const Image> images,
           std::span<const std::string> prompts, const SampleSink& sink, int delay_ms, bool sound) {
  if (output.is_one_picture()) return write_picture(output, draw(grid, images, prompts));
  if (output.form != PictureForm::gif) return;
  std::vector<Image> pictures;
  for (std::vector<Image> frame : sink.frames().frames()) {
    if (sound) turn_upright(frame);
    pictures.push_back(draw(grid, frame, {}));
  }
  write_animation(output.path, pictures, delay_ms);
}

// What the options write, checked as far as that is possible before the model is read.
SampleFiles files_of(const CLI::App& app, const SampleOptions& o) {
  SampleFiles files{
      {is_wav_output(o.out) ? parse_wav_output(o.out) : parse_output(o.out)}, o.raw, o.frames, o.show};
  if (app.count("--gif") > 0) files.outputs.push_back(parse_gif_output("--gif", o.gif));
  const bool animated = files.animated();
  const bool gridded = animated || o.show || files.outputs.front().is_one_picture();
  for (const char* option : {"--columns", "--scale"})
    if (app.count(option) > 0 && !gridded)
      throw Error(ErrorKind::usage,
                  fmt::format("{} is for --show and outputs that end in .png, .jpg or .gif", option));
  if (o.show && o.json) throw Error(ErrorKind::usage, "--show and --json both want stdout; give one of them");
  for (const char* option : {"--frames", "--delay"})
    if (app.count(option) > 0 && !animated)
      throw Error(ErrorKind::usage, fmt::format("{} is for outputs that end in .gif", option));
  check_sampling_names(o.sampling);
  if (!o.raw.empty()) check_writable_file(o.raw);
  return files;
}

void check_pictures_fit(const SampleFiles& files, const SampleOptions& o, const Model& model,
                        const Grid& grid, int count) {
  const NetworkTraits traits = model.traits();
  for (const PictureOutput& output : files.outputs) {
    check_channels(output, traits.in_channels);
    check_grid_fits(output, grid, count, traits.sample_size[1], traits.sample_size[0]);
  }
  if (o.show)
    check_grid_fits({"the picture of --show", PictureForm::png}, grid, count, traits.sample_size[1],
                    traits.sample_size[0]);
  check_room(files, model, count);
}

// Paths as JSON, which refuses those that are not UTF-8.
struct ReportedPaths {
  Json model;
  Json::Array outputs;
};

ReportedPaths reported_paths(const SampleOptions& o, const SampleFiles& files) {
  ReportedPaths paths{path_to_json(o.model), {}};
  for (const PictureOutput& output : files.outputs)
    paths.outputs.push_back(path_to_json(output.path.string()));
  if (!o.raw.empty()) paths.outputs.push_back(path_to_json(o.raw));
  return paths;
}

// The result on stdout.
void report(const SampleFiles& files, const GenerateOptions& g, double seconds,
            const std::optional<ReportedPaths>& json) {
  const double rate = g.count / seconds;
  if (json)
    return print_json(Json::Object{{"model", json->model},
                                   {"count", g.count},
                                   {"first", g.first},
                                   {"seed", std::int64_t(g.seed)},
                                   {"steps", g.recipe->steps},
                                   {"sampler", name_of(g.recipe->sampler)},
                                   {"seconds", seconds},
                                   {"images_per_second", rate},
                                   {"outputs", json->outputs}});
  std::string written;
  for (const PictureOutput& output : files.outputs)
    written += (written.empty() ? "" : ", ") + output.path.string();
  if (!files.raw.empty()) written += ", " + files.raw;
  print_line(fmt::format("{} image{} in {:.1f} s ({:.3g} images/s): {}", g.count, g.count == 1 ? "" : "s",
                         seconds, rate, written));
}

// What is heard of the pictures of a model of sound.
void write_samples_as_sound(const PictureOutput& output, const Model& model, const GenerateOptions& g,
                            std::span<const Image> images, const std::string& title) {
  std::vector<SoundEntry> entries;
  for (std::size_t k = 0; k < images.size(); ++k) {
    const int number = g.first + int(k), classes = model.class_count();
    std::string caption;
    if (classes > 0 && !g.without_class) {
      const int label = g.label.value_or(number % classes);
      caption = model.class_names.empty() ? fmt::format("{}", label) : model.class_names[std::size_t(label)];
    }
    entries.push_back({images[k], std::uint32_t(number), fmt::format("{:06}", number), caption});
  }
  write_sounds(output, entries, *model.mel, g.seed, title);
}

// A directory of a model of sound is to listen to; a WAV of another model cannot be.
void settle_sound(SampleFiles& files, const Model& model, const std::string& name) {
  PictureOutput& output = files.outputs.front();
  if (output.form == PictureForm::sound && !model.mel)
    throw Error(ErrorKind::usage,
                fmt::format("--out is {}, but {} makes pictures, and no sound", output.path.string(), name));
  if (model.mel && output.form == PictureForm::directory) output.form = PictureForm::sound;
}

int run(const CLI::App& app, SampleOptions& o) {
  SampleFiles files = files_of(app, o);
  const Communicator communicator = join(o.processes, o.quiet, o.json);
  std::optional<ReportedPaths> paths;
  if (o.json) paths = reported_paths(o, files);
  Model model = read_pipeline(chosen_pipeline(o.model), WeightPlace::as_fits);
  std::optional<Model> guide;
  if (!o.sampling.guide.empty())
    guide = read_pipeline(chosen_pipeline(o.sampling.guide), WeightPlace::as_fits);
  if (model.traits().sample_size[0] == 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("{} does not tell the size of its images (sample_size in its config.json)", o.model));
  settle_sound(files, model, o.model);
  GenerateOptions g = resolve(app, o, model, guide ? &*guide : nullptr);
  if (is_wav_output(o.out)) take_one_clip(app.count("--count") > 0, g);
  const Grid grid = choose_grid(model, o, g);
  check_pictures_fit(files, o, model, grid, g.count);
  if (const auto warning = model.preconditioner.text().warning; warning && communicator.leads())
    stderr_log().warning(*warning);
  const auto device = make_device(o.machine);
  check_same_pictures(communicator, model, *device, g);

  const std::atomic<bool>& stop = stop_on_signal();
  SampleSink sink(files, model, g, communicator);
  const auto start = std::chrono::steady_clock::now();
  Progress progress("sample", g.count, o.quiet, "images");
  std::vector<Image> images = sink.make(model, *device, progress, stop);
  progress.finish();
  communicator.close();
  if (!communicator.leads()) return 0;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  sink.commit();
  if (files.outputs.front().form == PictureForm::sound)
    write_samples_as_sound(files.outputs.front(), model, g, images, o.model);
  if (model.mel) turn_upright(images);
  for (const PictureOutput& output : files.outputs)
    write(output, grid, images, g.prompts, sink, o.delay, model.mel.has_value());
  if (o.show) show_or_tell(draw(grid, images, g.prompts));
  report(files, g, seconds, paths);
  return 0;
}

void add_output_options(CLI::App& app, SampleOptions& o) {
  const char* output = "Output";
  app.add_option("--gif", o.gif, "Write the animation to FILE, too")->type_name("FILE")->group(output);
  app.add_option("--raw", o.raw,
                 "Write the result before rounding to FILE.npy, too: float32 [N, C, H, W], about -1 to 1")
      ->type_name("FILE")
      ->group(output);
  app.add_option("--frames", o.frames, "At most so many frames in an animation, evenly chosen")
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str()
      ->group(output);
  add_delay_option(app, o.delay);
  app.add_option("--columns", o.columns,
                 "Images in a row of the grid (default: a class in each column, or about a square)")
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->group(output);
  app.add_option(
         "--scale", o.scale,
         "Show each pixel of a grid as N x N\n(default: as large as fits in 64 pixels: 28 -> 2, 64 -> 1)")
      ->check(in_range(1, 64))
      ->type_name("N")
      ->group(output);
  app.add_flag("--show", o.show, "Show the grid in the terminal")->group(output);
}

}  // namespace

std::function<int()> add_sample(CLI::App& app) {
  const auto o = std::make_shared<SampleOptions>();
  add_model_option(app, o->model)->capture_default_str();
  app.add_option("-o,--out", o->out,
                 "What to write:\n"
                 "  .png  all images in a grid (or .jpg)\n"
                 "  .gif  the grid, from noise to images\n"
                 "  .npy  uint8 array [N, H, W, C]\n"
                 "  .wav  one clip of a model of sound\n"
                 "  else  a directory with one PNG each, 000000.png ...; of a model of sound with WAV files, "
                 "too,\n"
                 "        and a page index.html to listen")
      ->type_name("OUT")
      ->capture_default_str();
  app.add_option("-n,--count", o->generate.count, "Images to make")
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--first", o->generate.first, "Index k of the first image")
      ->check(in_range(0, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str();
  add_seed_and_label_options(app, o->generate.seed, o->sampling);
  add_prompt_options(app, o->words);
  add_sampler_options(app, o->sampling);
  add_spacing_option(app, o->sampling);
  add_guidance_options(app, o->sampling);
  add_noise_option(app, o->sampling);

  add_output_options(app, *o);
  add_json_flag(app, o->json);
  add_quiet_flag(app, o->quiet);

  add_batch_option(app, o->generate.batch);
  add_machine_options(app, o->machine);
  add_processes_options(app, o->processes);
  app.footer(
      "Examples:\n"
      "  diffusion sample\n"
      "  diffusion sample runs/fashion -n 100 -o grid.png --gif film.gif\n"
      "  diffusion sample runs/fashion -n 10000 --label sneaker --sampler dpmpp_2m --steps 20 -o "
      "sneakers.npy\n"
      "  diffusion sample runs/digits --label 7 -n 10 -o seven/");
  return [&app, o] {
    try {
      return run(app, *o);
    } catch (const SampleSink::Stopped&) {
      stderr_log().line("stopped by a signal");
      end_all_processes(kExitStopped);
      return kExitStopped;
    }
  };
}

}  // namespace diffusion
