#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <limits>
#include <memory>
#include <sstream>

#include "base/error.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/picture_output.h"
#include "diffusion/pictures.h"
#include "diffusion/schedule.h"
#include "io/resize.h"

namespace diffusion {

namespace {

constexpr int kGap = 4;
constexpr std::uint8_t kBackground = 255;

struct NoiseOptions {
  std::string image, out, at, schedule = "linear";
  int size = 128, timesteps = 200, frames = 200;
  double beta_start = 1e-4, beta_end = 0.02;
  std::uint64_t seed = 0;
  bool json = false, quiet = false;
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

void write(const PictureOutput& output, std::span<const Image> pictures, std::span<const int> timesteps) {
  if (output.form == PictureForm::gif) return write_animation(output.path, pictures);
  if (output.form == PictureForm::npy) return write_pictures_npy(output.path, pictures);
  if (output.form == PictureForm::png)
    return write_png(output.path, make_grid(pictures, int(pictures.size()), kGap, kBackground));
  std::vector<std::string> names;
  for (const int t : timesteps) names.push_back(fmt::format("t{:06}", t));
  write_pictures_directory(output.path, pictures, names);
}

int run(const CLI::App& app, const NoiseOptions& o) {
  const PictureOutput output = parse_output(o.out);
  const bool animated = output.form == PictureForm::gif;
  if (app.count("--frames") > 0 && !animated)
    throw Error(ErrorKind::usage, "--frames is for outputs that end in .gif; --at is for the others");
  if (app.count("--at") > 0 && animated)
    throw Error(ErrorKind::usage, "--at is not for outputs that end in .gif, which show the whole process");
  const Json image_path = o.json ? path_to_json(o.image) : Json(nullptr);
  const Json output_path = o.json ? path_to_json(o.out) : Json(nullptr);

  const NoiseSchedule schedule =
      make_schedule(parse_schedule_kind(o.schedule), o.timesteps, o.beta_start, o.beta_end);
  std::vector<int> timesteps = showcase_timesteps(o.timesteps);
  if (app.count("--at") > 0) timesteps = parse_timesteps(o.at, o.timesteps);
  if (animated) timesteps = evenly_spaced(o.timesteps - 1, o.frames);
  const Image square = center_square(on_white(read_image(o.image)), o.size);
  write(output, noise_pictures(square, schedule, timesteps, o.seed), timesteps);
  if (const auto warning = terminal_snr_warning(schedule); warning && !o.quiet)
    stderr_log().warning(*warning);

  if (!o.json) {
    for (const int t : timesteps)
      if (!animated)
        print_line(fmt::format("t = {:<6} alphas_cumprod {:.6f}  sigma {:.4f}", t, schedule.alpha_cumprod(t),
                               schedule.sigma(t)));
    print_line(fmt::format("{} pictures of {} x {}: {}", timesteps.size(), o.size, o.size, o.out));
    return 0;
  }
  Json::Array pictures;
  for (const int t : timesteps)
    pictures.push_back(
        Json::Object{{"t", t}, {"alphas_cumprod", schedule.alpha_cumprod(t)}, {"sigma", schedule.sigma(t)}});
  print_json(Json::Object{{"image", image_path},
                          {"size", o.size},
                          {"schedule", to_string(schedule.kind)},
                          {"timesteps", o.timesteps},
                          {"terminal_snr", schedule.terminal_snr()},
                          {"seed", std::int64_t(o.seed)},
                          {"pictures", std::move(pictures)},
                          {"outputs", Json::Array{output_path}}});
  return 0;
}

}  // namespace

std::function<int()> add_noise(CLI::App& app) {
  const auto o = std::make_shared<NoiseOptions>();
  constexpr int kMostSize = 4096, kMostTimesteps = 1'000'000;
  app.add_option("IMAGE", o->image, "PNG or JPEG; transparency becomes white")->required()->type_name("");
  app.add_option("-o,--out", o->out,
                 "What to write:\n"
                 "  .png  a row of pictures, one for each timestep of --at\n"
                 "  .gif  the whole process\n"
                 "  .npy  uint8 array [timesteps, H, W, C]\n"
                 "  else  a directory with one PNG each, t000000.png ...")
      ->required()
      ->type_name("OUT");
  app.add_option("--size", o->size, "Side of the pictures: the shorter side is resized, the middle cut out")
      ->check(in_range(1, kMostSize))
      ->type_name("PIXELS")
      ->capture_default_str();
  app.add_option("--at", o->at, "Timesteps to show (default: 0, T/4, T/2, 3T/4 and T-1: 0,50,100,150,199)")
      ->type_name("LIST");
  app.add_option("--frames", o->frames, "At most so many frames in an animation, evenly chosen")
      ->check(in_range(1, kMostTimesteps))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--seed", o->seed, "Decides the noise, which is the same in all pictures")
      ->check(at_least(0))
      ->type_name("N")
      ->capture_default_str();

  const char* schedule = "Schedule";
  app.add_option("--timesteps", o->timesteps, "Length T of the process")
      ->check(in_range(1, kMostTimesteps))
      ->type_name("T")
      ->capture_default_str()
      ->group(schedule);
  app.add_option("--schedule", o->schedule, "linear, scaled_linear, cosine, quadratic or sigmoid")
      ->type_name("NAME")
      ->capture_default_str()
      ->group(schedule);
  app.add_option("--beta-start", o->beta_start, "First beta (not for cosine)")
      ->type_name("X")
      ->capture_default_str()
      ->group(schedule);
  app.add_option("--beta-end", o->beta_end, "Last beta (not for cosine)")
      ->type_name("X")
      ->capture_default_str()
      ->group(schedule);
  add_json_flag(app, o->json);
  app.add_flag("--quiet", o->quiet, "No warning about a schedule that does not end in noise")
      ->group("Output");
  app.footer("Example: diffusion noise cat.png --at 0,50,100,150,199 -o cat-noise.png");
  return [&app, o] { return run(app, *o); };
}

}  // namespace diffusion
