#include "cli/sampling_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "cli/options.h"
#include "io/npy.h"

namespace diffusion {

namespace {

constexpr int kDefaultSteps = 50;

// How the model's own scheduler samples, as far as the options do not say otherwise. DDPM would need every timestep, so it
// says where to step, but not how. With another sampler or spacing go the peculiarities of the scheduler's levels.
SamplingSettings settings_of(const CLI::App& app, const SamplingOptions& o, const Model& model) {
  SamplingSettings s = model.sampling;
  const std::string otherwise = s.sampler == "ddpm" ? "ddim" : s.sampler;
  const std::string sampler = app.count("--sampler") > 0 ? o.sampler : otherwise;
  std::optional<Spacing> spacing = s.levels.spacing;
  if (sampler != s.sampler && find_sampler(sampler).small_steps && model.preconditioner.schedule())
    spacing = Spacing::logsnr;
  if (app.count("--spacing") > 0) spacing = parse_spacing(o.spacing);
  if (sampler != s.sampler || app.count("--spacing") > 0)
    s.levels = {.spacing = spacing,
                .convention = find_sampler(sampler).convention,
                .steps_offset = s.levels.steps_offset,
                .rho = s.levels.rho};
  if (sampler != s.sampler) {
    s.sampler = sampler;
    s.variance = DdpmVariance::posterior;
    s.limit_spares_noise = false;
  }
  return s;
}

}  // namespace

void add_sampling_options(CLI::App& app, SamplingOptions& o) {
  const char* sampling = "Sampling";
  std::string samplers_help =
      "How to get from noise to image (default: as the model's scheduler says; ddim for DDPM):";
  for (const SamplerEntry& sampler : samplers())
    samplers_help += fmt::format("\n  {}: {}", sampler.name, sampler.reference);
  app.add_option("--sampler", o.sampler, samplers_help)->type_name("NAME")->group(sampling);
  app.add_option(
         "--steps", o.steps,
         fmt::format(
             "Noise levels to visit; most samplers call the network once for each\n(default: {}; ddpm: all "
             "timesteps)",
             kDefaultSteps))
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->group(sampling);
  std::string spacings_help =
      "Which noise levels to visit (default: as the model's scheduler says; logsnr for\nheun, dpm2, edm and "
      "pndm if it is not their own):";
  for (const SpacingEntry& spacing : spacings())
    spacings_help += fmt::format("\n  {}: {}", spacing.name, spacing.description);
  app.add_option("--spacing", o.spacing, spacings_help)->type_name("NAME")->group(sampling);
  const auto number = [&](const char* name, double& value, const char* help) {
    app.add_option(name, value, help)->type_name("X")->group(sampling);
  };
  number("--eta", o.eta,
         "Fresh noise from 0 (none) to 1 (as much as ddpm) in ddim (default: 0),\neuler_ancestral and "
         "dpmpp_*_sde "
         "(default: 1)");
  number("--s-churn", o.s_churn, "edm: how much noise to add and take away again (default: 40; 0 is heun)");
  number("--s-tmin", o.s_tmin, "edm: from this sigma on (default: 0)");
  number("--s-tmax", o.s_tmax, "edm: up to this sigma (default: inf)");
  number("--s-noise", o.s_noise, "edm: standard deviation of that noise (default: 1)");
  app.add_option("--guidance", o.guidance,
                 "Strength of the class: 1 as trained, above 1 stronger\n(needs a model trained with label "
                 "dropout, or "
                 "--guide)")
      ->type_name("X")
      ->capture_default_str()
      ->group(sampling);
  app.add_option("--guidance-interval", o.guidance_interval, "Guidance only where LO < sigma <= HI")
      ->delimiter(',')
      ->expected(2)
      ->type_name("LO,HI")
      ->group(sampling);
  number("--guidance-rescale", o.guidance_rescale,
         "Take back so much of the contrast that guidance adds, 0 to 1");
  app.add_option("--guide", o.guide,
                 "A weaker MODEL of the same images: go away from it, by --guidance (autoguidance)")
      ->type_name("MODEL")
      ->group(sampling);
  app.add_option("--noise", o.noise,
                 "Start from FILE.npy: float32 [N, C, H, W], N(0, 1), instead of the seed's")
      ->type_name("FILE")
      ->group(sampling);
}

void check_sampling_names(const CLI::App& app, const SamplingOptions& o) {
  if (app.count("--sampler") > 0) find_sampler(o.sampler);
  if (app.count("--spacing") > 0) parse_spacing(o.spacing);
  for (const char* option : {"--guidance-interval", "--guidance-rescale", "--guide"})
    if (app.count(option) > 0 && o.guidance == 1)
      throw Error(ErrorKind::usage, fmt::format("{} needs --guidance with a strength other than 1", option));
}

void apply_sampling_options(const CLI::App& app, const SamplingOptions& o, const Model& model, Model* guide,
                            GenerateOptions& g) {
  sample_as_configured(settings_of(app, o, model), g);
  const NoiseSchedule* schedule = model.preconditioner.schedule();
  g.steps = o.steps;
  if (app.count("--steps") == 0) {
    g.steps = g.sampler == "ddpm" && schedule ? schedule->num_train_timesteps : kDefaultSteps;
    if (schedule) g.steps = std::min(g.steps, schedule->num_train_timesteps);
  }
  const auto set = [&](const char* name, std::optional<double>& option, double value) {
    if (app.count(name) > 0) option = value;
  };
  set("--eta", g.sampler_options.eta, o.eta);
  set("--s-churn", g.sampler_options.s_churn, o.s_churn);
  set("--s-tmin", g.sampler_options.s_tmin, o.s_tmin);
  set("--s-tmax", g.sampler_options.s_tmax, o.s_tmax);
  set("--s-noise", g.sampler_options.s_noise, o.s_noise);
  g.guidance = o.guidance;
  g.guidance_rescale = o.guidance_rescale;
  if (!o.guidance_interval.empty()) {
    g.guidance_sigma_low = o.guidance_interval[0];
    g.guidance_sigma_high = o.guidance_interval[1];
  }
  g.guide = guide;
}

std::vector<float> read_start_noise(const std::string& path, const Model& model) {
  NpyArray<float> array = read_npy_float32(path);
  const NetworkTraits traits = model.traits();
  const std::vector<std::int64_t> image{traits.in_channels, traits.sample_size[0], traits.sample_size[1]};
  if (array.dims.size() != 4 || array.dims[0] < 1 ||
      !std::equal(image.begin(), image.end(), array.dims.begin() + 1))
    throw Error(ErrorKind::bad_input, fmt::format("{} has the shape [{}]; the model needs [N, {}].", path,
                                                  fmt::join(array.dims, ", "), fmt::join(image, ", ")));
  if (!std::ranges::all_of(array.data, [](float value) { return std::isfinite(value); }))
    throw Error(ErrorKind::bad_input, fmt::format("{} holds NaN or infinity; noise must be finite.", path));
  return std::move(array.data);
}

}  // namespace diffusion
