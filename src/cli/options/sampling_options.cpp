#include "cli/options/sampling_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "cli/options/options.h"
#include "formats/npy.h"

namespace diffusion {

namespace {

constexpr int kOneValueSteps = 50, kManyValueSteps = 20, kConsistencySteps = 4;
constexpr const char* kSamplerInsteadOfDdpm = "dpmpp_3m_sde";
constexpr const char* kGroup = "Sampling";

// How the model's own scheduler samples, as far as the options do not say otherwise. DDPM would need every
// timestep, so it says where to step, but not how. With another sampler or spacing go the peculiarities of
// the scheduler's levels.
SamplingSettings settings_of(const SamplingOptions& o, const Model& model) {
  SamplingSettings s = model.sampling;
  const std::string otherwise = s.sampler == "ddpm" ? kSamplerInsteadOfDdpm : s.sampler;
  const std::string sampler = o.sampler.value_or(otherwise);
  std::optional<Spacing> spacing = s.levels.spacing;
  if (sampler != s.sampler && find_sampler(sampler).small_steps && !model.preconditioner.edm())
    spacing = Spacing::logsnr;
  if (sampler != s.sampler && find_sampler(sampler).consistency) spacing = Spacing::angle;
  if (o.spacing) spacing = parse_spacing(*o.spacing);
  if (sampler != s.sampler || o.spacing)
    s.levels = {.spacing = spacing,
                .convention = find_sampler(sampler).convention,
                .steps_offset = s.levels.steps_offset,
                .rho = s.levels.rho,
                .shift = s.levels.shift};
  if (sampler != s.sampler) {
    s.sampler = sampler;
    s.variance = DdpmVariance::posterior;
    s.limit_spares_noise = false;
    s.lower_order_final = true;
    s.euler_at_final = s.heun = s.bh1 = false;
  }
  return s;
}

// Many steps do not help a sampler that uses more than one value of D for a step: docs/samplers.md has the
// distances.
int default_steps(const SamplerEntry& sampler) {
  if (sampler.consistency) return kConsistencySteps;
  const bool many_values = sampler.order > 1 || sampler.convention == LevelConvention::dpm_solver;
  return many_values ? kManyValueSteps : kOneValueSteps;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// A name, whatever its case, or a number.
int parse_label(const Model& model, const std::string& text) {
  for (std::size_t k = 0; k < model.class_names.size(); ++k)
    if (same_word(model.class_names[k], text)) return int(k);
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (model.class_count() == 0)
    throw Error(ErrorKind::usage, "this model knows no classes, so it takes no --label");
  if (error == std::errc() && end == text.data() + text.size() && number >= 0 && number < model.class_count())
    return number;
  std::string names;
  for (const std::string& name : model.class_names) names += ", " + name;
  throw Error(ErrorKind::usage,
              fmt::format("--label is \"{}\"; accepted are 0 to {}{}", text, model.class_count() - 1, names));
}

void add_number(CLI::App& app, const char* name, std::optional<double>& value, const char* help) {
  app.add_option(name, value, help)->type_name("X")->group(kGroup);
}

}  // namespace

void add_seed_and_label_options(CLI::App& app, std::uint64_t& seed, SamplingOptions& o) {
  app.add_option("--seed", seed, "Decides the noise: image k of a seed is always the same")
      ->check(at_least(0))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--label", o.label,
                 "Class of all images, a number or a name\n(default: image k is of class k modulo the number "
                 "of classes)")
      ->type_name("K");
}

void add_sampler_options(CLI::App& app, SamplingOptions& o) {
  std::string samplers_help =
      fmt::format("How to get from noise to image (default: as the model's scheduler says; {} for DDPM):",
                  kSamplerInsteadOfDdpm);
  for (const SamplerEntry& sampler : samplers())
    samplers_help += fmt::format("\n  {}: {}", sampler.name, sampler.reference);
  app.add_option("--sampler", o.sampler, samplers_help)->type_name("NAME")->group(kGroup);
  app.add_option("--steps", o.steps,
                 fmt::format("Noise levels to visit; most samplers call the network once for each\n(default: "
                             "{}; ddim, euler, "
                             "euler_ancestral and edm: {}; ddpm: all timesteps;\nconsistency: {})",
                             kManyValueSteps, kOneValueSteps, kConsistencySteps))
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->group(kGroup);
  add_number(app, "--eta", o.eta,
             "Fresh noise from 0 (none) to 1 (as much as ddpm) in ddim (default: 0),\neuler_ancestral and "
             "dpmpp_*_sde (default: 1)");
  add_number(app, "--s-churn", o.s_churn,
             "edm: how much noise to add and take away again (default: 40; 0 is heun)");
  add_number(app, "--s-tmin", o.s_tmin, "edm: from this sigma on (default: 0)");
  add_number(app, "--s-tmax", o.s_tmax, "edm: up to this sigma (default: inf)");
  add_number(app, "--s-noise", o.s_noise, "edm: standard deviation of that noise (default: 1)");
}

void add_spacing_option(CLI::App& app, SamplingOptions& o) {
  std::string help =
      "Which noise levels to visit (default: as the model's scheduler says; logsnr for\nheun, dpm2, edm and "
      "pndm if it is not their own, angle for consistency):";
  for (const SpacingEntry& spacing : spacings())
    help += fmt::format("\n  {}: {}", spacing.name, spacing.description);
  app.add_option("--spacing", o.spacing, help)->type_name("NAME")->group(kGroup);
}

void add_batch_option(CLI::App& app, int& batch) {
  app.add_option("--batch", batch, "Images computed together; less needs less memory")
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str()
      ->group("Machine");
}

void add_guidance_options(CLI::App& app, SamplingOptions& o) {
  app.add_option("--guidance", o.guidance,
                 "Strength of the class: 1 as trained, above 1 stronger\n(needs a model trained with label "
                 "dropout, or --guide)")
      ->type_name("X")
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--guidance-interval", o.guidance_interval, "Guidance only where LO < sigma <= HI")
      ->delimiter(',')
      ->expected(2)
      ->type_name("LO,HI")
      ->group(kGroup);
  add_number(app, "--guidance-rescale", o.guidance_rescale,
             "Take back so much of the contrast that guidance adds, 0 to 1");
  app.add_option("--guide", o.guide,
                 "A weaker MODEL of the same images: go away from it, by --guidance (autoguidance)")
      ->type_name("MODEL")
      ->group(kGroup);
}

void add_noise_option(CLI::App& app, SamplingOptions& o) {
  app.add_option("--noise", o.noise,
                 "Start from FILE.npy: float32 [N, C, H, W], N(0, 1), instead of the seed's\n(samplers "
                 "with fresh noise draw that from the seed)")
      ->type_name("FILE")
      ->group(kGroup);
}

void check_sampling_names(const SamplingOptions& o) {
  if (o.sampler) find_sampler(*o.sampler);
  if (o.spacing) parse_spacing(*o.spacing);
  for (const auto& [option, given] : {std::pair{"--guidance-interval", !o.guidance_interval.empty()},
                                      {"--guidance-rescale", o.guidance_rescale.has_value()},
                                      {"--guide", !o.guide.empty()}})
    if (given && o.guidance == 1)
      throw Error(ErrorKind::usage, fmt::format("{} needs --guidance with a strength other than 1", option));
}

void apply_sampling_options(const SamplingOptions& o, const Model& model, Model* guide, GenerateOptions& g) {
  sample_as_configured(settings_of(o, model), g);
  const NoiseSchedule* schedule = model.preconditioner.schedule();
  const int most = schedule ? schedule->num_train_timesteps : std::numeric_limits<int>::max();
  const bool all = g.sampler == "ddpm" && schedule;
  g.steps = o.steps.value_or(all ? most : std::min(default_steps(find_sampler(g.sampler)), most));
  g.sampler_options.eta = o.eta;
  g.sampler_options.s_churn = o.s_churn;
  g.sampler_options.s_tmin = o.s_tmin;
  g.sampler_options.s_tmax = o.s_tmax;
  g.sampler_options.s_noise = o.s_noise;
  g.guidance = o.guidance;
  g.guidance_rescale = o.guidance_rescale.value_or(0);
  if (!o.guidance_interval.empty()) {
    g.guidance_sigma_low = o.guidance_interval[0];
    g.guidance_sigma_high = o.guidance_interval[1];
  }
  g.guide = guide;
  if (o.label) g.label = parse_label(model, *o.label);
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
