#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <sstream>

#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "base/log.h"
#include "cli/commands/commands.h"
#include "cli/options/options.h"
#include "cli/output/picture_output.h"
#include "cli/output/picture_stream.h"
#include "cli/output/sound_output.h"
#include "diffusion/pictures.h"
#include "diffusion/schedule.h"
#include "diffusion/schedule_plot.h"
#include "drawing/titles.h"
#include "files/fs.h"
#include "formats/npy.h"
#include "pictures/resize.h"
#include "sound/mel_picture.h"

namespace diffusion {

namespace {

constexpr int kGap = 4;
constexpr std::uint8_t kBackground = 255;
constexpr int kScheduleWidth = 360, kScheduleHeight = 280;

struct NoiseOptions {
  std::string image, audio, out, at, noise, plot, schedule = "linear", beta_scale = "1";
  int size = 128, width = 0, timesteps = 200, frames = 200, delay = 0;
  double beta_start = 1e-4, beta_end = 0.02;
  std::uint64_t seed = 0;
  bool zero_terminal_snr = false, no_titles = false, show = false, json = false, quiet = false;
};

// "0,50,199"
std::vector<int> parse_timesteps(const std::string& list, int num_train_timesteps) {
  std::vector<int> timesteps;
  std::istringstream stream(list + ',');
  for (std::string item; std::getline(stream, item, ',');) {
    int t = -1;
    const char* end = item.data() + item.size();
    const auto [stop, error] = std::from_chars(item.data(), end, t);
    if (error != std::errc() || stop != end || t < 0 || t >= num_train_timesteps)
      throw Error(ErrorKind::usage,
                  fmt::format("--at has \"{}\"; accepted are timesteps from 0 to {}, separated by "
                              "commas (--timesteps is {})",
                              item, num_train_timesteps - 1, num_train_timesteps));
    timesteps.push_back(t);
  }
  return timesteps;
}

double parse_beta_scale(const std::string& text, int num_train_timesteps) {
  if (text == "auto") return beta_scale_auto(num_train_timesteps);
  double scale = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, scale);
  if (error == std::errc() && stop == end && scale > 0 && std::isfinite(scale)) return scale;
  throw Error(ErrorKind::usage,
              fmt::format("--beta-scale is \"{}\"; accepted are auto (1000/T) and positive numbers", text));
}

NoiseSchedule schedule_of(const CLI::App& app, const NoiseOptions& o) {
  const ScheduleKind kind = parse_schedule_kind(o.schedule);
  if (kind == ScheduleKind::cosine)
    for (const char* option : {"--beta-start", "--beta-end", "--beta-scale"})
      if (app.count(option) > 0)
        throw Error(ErrorKind::usage,
                    fmt::format("{} is not for the cosine schedule, whose betas follow from T", option));
  const double scale = parse_beta_scale(o.beta_scale, o.timesteps);
  const double beta_start = o.beta_start * scale, beta_end = o.beta_end * scale;
  if (scale != 1 && !(std::max(beta_start, beta_end) < 1))
    throw Error(ErrorKind::usage,
                fmt::format("--beta-scale {} makes betas from {:.4g} to {:.4g}; they must be less than 1",
                            o.beta_scale, beta_start, beta_end));
  const NoiseSchedule schedule = make_schedule(kind, o.timesteps, beta_start, beta_end);
  return o.zero_terminal_snr ? rescale_zero_terminal_snr(schedule) : schedule;
}

// epsilon for the picture, [C, H, W] or [1, C, H, W].
std::vector<double> read_noise(const std::string& path, const Image& image) {
  const NpyArray<float> array = read_npy_float32(path);
  const std::vector<std::int64_t> accepted{1, image.channels, image.height, image.width};
  const auto three = std::span(accepted).subspan(1);
  if (!std::ranges::equal(array.dims, accepted) && !std::ranges::equal(array.dims, three))
    throw Error(
        ErrorKind::bad_input,
        fmt::format("--noise {} has the shape [{}]; accepted for this picture are [{}] and [{}] (channels, "
                    "height, width).",
                    path, fmt::join(array.dims, ", "), fmt::join(three, ", "), fmt::join(accepted, ", ")));
  const auto bad = std::ranges::find_if_not(array.data, [](float v) { return std::isfinite(v); });
  if (bad != array.data.end())
    throw Error(ErrorKind::bad_input,
                fmt::format("--noise {} has {} at position {}; accepted are finite numbers.", path, *bad,
                            bad - array.data.begin()));
  return {array.data.begin(), array.data.end()};
}

constexpr MelForm kMel{};
constexpr int kSpectrogramScale = 3;

Image read_picture(const NoiseOptions& o) {
  constexpr std::uint64_t kMostBytes = std::uint64_t(1) << 28;
  if (!o.audio.empty())
    return mel_picture(decode_wav(read_file(o.audio, kMostBytes), o.audio), kMel, o.audio);
  const Image image = on_white(read_image(o.image));
  return o.width > 0 ? resize_to_width(image, o.width) : center_square(image, o.size);
}

std::vector<Image> draw_process(const NoiseOptions& o, const NoiseSchedule& schedule, const Image& image,
                                std::span<const int> timesteps) {
  if (o.noise.empty()) return noise_pictures(image, schedule, timesteps, o.seed);
  return noise_pictures(image, schedule, timesteps, read_noise(o.noise, image));
}

// What people look at: spectrograms of sound, other pictures as they are.
std::vector<Image> as_shown(const NoiseOptions& o, std::vector<Image> pictures) {
  if (!o.audio.empty())
    for (Image& picture : pictures) picture = spectrogram(picture, kSpectrogramScale);
  return pictures;
}

// The noisy pictures as they sound, all with the same first phases.
void write_noisy_sounds(const PictureOutput& output, const NoiseOptions& o, std::span<const Image> pictures,
                        std::span<const int> timesteps) {
  std::vector<SoundEntry> entries;
  for (std::size_t k = 0; k < pictures.size(); ++k)
    entries.push_back(
        {pictures[k], 0, fmt::format("t{:06}", timesteps[k]), fmt::format("t = {}", timesteps[k])});
  write_sounds(output, entries, kMel, o.seed, o.audio);
}

std::vector<Image> with_timesteps(std::span<const Image> pictures, std::span<const int> timesteps) {
  std::vector<std::string> titles;
  for (const int t : timesteps) titles.push_back(fmt::format("t = {}", t));
  return with_titles(pictures, titles);
}

Image row_of(std::span<const Image> pictures) {
  return make_grid(pictures, int(pictures.size()), kGap, kBackground);
}

void write(const PictureOutput& output, std::span<const Image> pictures, std::span<const Image> titled,
           std::span<const int> timesteps, int delay_ms) {
  if (output.form == PictureForm::gif) return write_animation(output.path, titled, delay_ms);
  if (output.is_one_picture()) return write_picture(output, row_of(titled));
  std::vector<std::string> names;
  for (const int t : timesteps) names.push_back(fmt::format("t{:06}", t));
  write_pictures(output, pictures, names);
}

// What can be known to be wrong before the work.
void check_options(const CLI::App& app, const std::optional<PictureOutput>& output, const NoiseOptions& o) {
  const auto given = [&](const char* option) { return app.count(option) > 0; };
  if (o.image.empty() == o.audio.empty())
    throw Error(ErrorKind::usage, "give either an IMAGE, or --audio with a .wav file");
  for (const char* option : {"--size", "--width"})
    if (!o.audio.empty() && given(option))
      throw Error(ErrorKind::usage, fmt::format("{} is for an IMAGE, and --audio is none", option));
  if (!output && !given("--plot") && !o.show)
    throw Error(ErrorKind::usage, "there is nothing to do; give --out OUT, --plot FILE or --show");
  if (given("--plot")) {
    check_drawing_path(o.plot);
    check_writable_file(o.plot);
  }
  const bool animated = output && output->form == PictureForm::gif;
  const bool titled = animated || o.show || (output && output->is_one_picture());
  if (given("--frames") && !animated)
    throw Error(ErrorKind::usage, "--frames is for outputs that end in .gif; --at is for the others");
  if (given("--delay") && !animated) throw Error(ErrorKind::usage, "--delay is for outputs that end in .gif");
  if (given("--at") && animated)
    throw Error(ErrorKind::usage, "--at is not for outputs that end in .gif, which show the whole process");
  if (o.show && animated) throw Error(ErrorKind::usage, "--show is not for outputs that end in .gif");
  if (o.show && o.json) throw Error(ErrorKind::usage, "--show and --json both want stdout; give one of them");
  if (given("--no-titles") && !titled)
    throw Error(ErrorKind::usage, "--no-titles is for --show and outputs that end in .png, .jpg or .gif");
}

int run(const CLI::App& app, const NoiseOptions& o) {
  std::optional<PictureOutput> output;
  if (app.count("--out") > 0) output = parse_output(o.out);
  check_options(app, output, o);
  const Json image_path = o.json ? path_to_json(o.audio.empty() ? o.image : o.audio) : Json(nullptr);
  Json::Array output_paths;
  for (const std::string& path : {o.out, o.plot})
    if (o.json && !path.empty()) output_paths.push_back(path_to_json(path));

  const NoiseSchedule schedule = schedule_of(app, o);
  const bool animated = output && output->form == PictureForm::gif;
  std::vector<int> timesteps = showcase_timesteps(o.timesteps);
  if (app.count("--at") > 0) timesteps = parse_timesteps(o.at, o.timesteps);
  if (animated) timesteps = evenly_spaced(o.timesteps - 1, o.frames);
  const Image image = read_picture(o);
  if (output || o.show) {
    const std::vector<Image> pictures = draw_process(o, schedule, image, timesteps);
    const std::vector<Image> shown = as_shown(o, pictures);
    const std::vector<Image> titled = o.no_titles ? shown : with_timesteps(shown, timesteps);
    if (output && output->form == PictureForm::directory && !o.audio.empty())
      write_noisy_sounds(*output, o, pictures, timesteps);
    else if (output)
      write(*output, pictures, titled, timesteps, o.delay);
    if (o.show) show_or_tell(row_of(titled));
  }
  if (!o.plot.empty())
    write_drawing(o.plot, draw_plots(schedule_plots(schedule), kScheduleWidth, kScheduleHeight));
  if (const auto warning = terminal_snr_warning(schedule); warning && !o.quiet)
    stderr_log().warning(*warning);

  if (!o.json) {
    for (const int t : timesteps)
      if (!animated)
        print_line(fmt::format("t = {:<6} alphas_cumprod {:.6f}  sigma {:.4f}", t, schedule.alpha_cumprod(t),
                               schedule.sigma(t)));
    if (output)
      print_line(
          fmt::format("{} pictures of {} x {}: {}", timesteps.size(), image.width, image.height, o.out));
    if (!o.plot.empty()) print_line(fmt::format("schedule: {}", o.plot));
    return 0;
  }
  Json::Array pictures;
  for (const int t : timesteps)
    pictures.push_back(
        Json::Object{{"t", t}, {"alphas_cumprod", schedule.alpha_cumprod(t)}, {"sigma", schedule.sigma(t)}});
  print_json(Json::Object{{"image", image_path},
                          {"width", image.width},
                          {"height", image.height},
                          {"schedule", to_string(schedule.kind)},
                          {"timesteps", o.timesteps},
                          {"beta_start", schedule.beta_start},
                          {"beta_end", schedule.beta_end},
                          {"zero_terminal_snr", schedule.zero_terminal_snr},
                          {"terminal_snr", schedule.terminal_snr()},
                          {"seed", std::int64_t(o.seed)},
                          {"pictures", std::move(pictures)},
                          {"outputs", std::move(output_paths)}});
  return 0;
}

constexpr int kMostTimesteps = 1'000'000;

void add_schedule_options(CLI::App& app, NoiseOptions& o) {
  const char* schedule = "Schedule";
  app.add_option("--timesteps", o.timesteps, "Length T of the process")
      ->check(in_range(1, kMostTimesteps))
      ->type_name("T")
      ->capture_default_str()
      ->group(schedule);
  app.add_option("--schedule", o.schedule, "linear, scaled_linear, cosine, quadratic or sigmoid")
      ->type_name("NAME")
      ->capture_default_str()
      ->group(schedule);
  app.add_option("--beta-start", o.beta_start, "First beta (not for cosine)")
      ->type_name("X")
      ->capture_default_str()
      ->group(schedule);
  app.add_option("--beta-end", o.beta_end, "Last beta (not for cosine)")
      ->type_name("X")
      ->capture_default_str()
      ->group(schedule);
  app.add_option("--beta-scale", o.beta_scale,
                 "Multiply the betas: a number, or auto for 1000/T (not for cosine)")
      ->type_name("X")
      ->capture_default_str()
      ->group(schedule);
  app.add_flag("--zero-terminal-snr", o.zero_terminal_snr,
               "Rescale the schedule so that it ends in pure noise (Lin et al. 2023)")
      ->group(schedule);
}

}  // namespace

std::function<int()> add_noise(CLI::App& app) {
  const auto o = std::make_shared<NoiseOptions>();
  constexpr int kMostSize = 4096;
  app.add_option("IMAGE", o->image, "PNG, JPEG, TIFF or WebP; transparency becomes white")->type_name("");
  app.add_option("--audio", o->audio,
                 "A .wav file instead of an IMAGE: the process of its mel picture, of about a second")
      ->type_name("FILE");
  app.add_option(
         "-o,--out", o->out,
         "What to write:\n"
         "  .png  a row of pictures, one for each timestep of --at (or .jpg)\n"
         "  .gif  the whole process\n"
         "  .npy  uint8 array [timesteps, H, W, C]\n"
         "  else  a directory with one PNG each, t000000.png ...; of --audio with WAV files, too, and a\n"
         "        page index.html to listen")
      ->type_name("OUT");
  app.add_option("--plot", o->plot, "Plot the schedule: beta, alphas_cumprod and SNR (.svg or .png)")
      ->type_name("FILE");
  CLI::Option* size = app.add_option("--size", o->size,
                                     "Side of the pictures: the shorter side is resized, the middle cut out")
                          ->check(in_range(1, kMostSize))
                          ->type_name("PIXELS")
                          ->capture_default_str();
  app.add_option("--width", o->width,
                 "Width of the pictures instead of --size: the whole picture, in proportion")
      ->check(in_range(1, kMostSize))
      ->type_name("PIXELS")
      ->excludes(size);
  app.add_option("--at", o->at, "Timesteps to show (default: 0, T/4, T/2, 3T/4 and T-1: 0,50,100,150,199)")
      ->type_name("LIST");
  app.add_option("--frames", o->frames, "At most so many frames in an animation, evenly chosen")
      ->check(in_range(1, kMostTimesteps))
      ->type_name("N")
      ->capture_default_str();
  app.add_flag("--no-titles", o->no_titles, "Do not write the timesteps above the pictures");
  CLI::Option* seed =
      app.add_option("--seed", o->seed, "Decides the noise, which is the same in all pictures")
          ->check(at_least(0))
          ->type_name("N")
          ->capture_default_str();
  app.add_option("--noise", o->noise, "Take the noise from FILE.npy: float32, [C, H, W] or [1, C, H, W]")
      ->type_name("FILE")
      ->excludes(seed);

  add_schedule_options(app, *o);
  app.add_flag("--show", o->show, "Show the row of pictures in the terminal")->group("Output");
  add_delay_option(app, o->delay);
  add_json_flag(app, o->json);
  app.add_flag("--quiet", o->quiet, "No warning about a schedule that does not end in noise")
      ->group("Output");
  app.footer(
      "Examples:\n"
      "  diffusion noise cat.png --at 0,50,100,150,199 -o cat-noise.png\n"
      "  diffusion noise cat.png --beta-scale auto --plot schedule.svg\n"
      "  diffusion noise --audio seven.wav --schedule cosine -o seven-noise/");
  return [&app, o] { return run(app, *o); };
}

}  // namespace diffusion
