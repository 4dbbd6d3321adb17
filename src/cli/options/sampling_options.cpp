#include "cli/options/sampling_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include <diffusion/error.h>
#include "cli/options/options.h"
#include "diffusion/default_recipe.h"
#include "diffusion/guidance.h"
#include "formats/npy.h"

namespace diffusion {

namespace {

constexpr const char* kGroup = "Sampling";

// The options of samplers that have one by name: "--s-churn" is the sampler's s_churn.
struct SamplerOptionHelp {
  const char *flag, *name, *help;
};
constexpr std::array<SamplerOptionHelp, 5> kSamplerOptions{
    {{"--eta", "eta",
      "Fresh noise from 0 (none) to 1 (as much as ddpm) in ddim and "
      "dpmpp_*s (default: 0),\neuler_ancestral and dpmpp_*_sde (default: 1)"},
     {"--s-churn", "s_churn", "edm: how much noise to add and take away again (default: 40; 0 is heun)"},
     {"--s-tmin", "s_tmin", "edm, sa_solver: noise from this sigma on (default: 0)"},
     {"--s-tmax", "s_tmax", "edm, sa_solver: up to this sigma (default: inf)"},
     {"--s-noise", "s_noise", "edm: standard deviation of that noise (default: 1)"}}};

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// A name, whatever its case, or a number.
int parse_class(const Model& model, const std::string& text) {
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
              fmt::format("--label is \"{}\"; accepted are 0 to {}{}{}", text, model.class_count() - 1, names,
                          model.null_class ? ", none" : ""));
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
  app.add_option(
         "--label", o.label,
         "Class of all images, a number or a name, or none\n(default: image k is of class k modulo the "
         "number of classes)")
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
                             facts_of(Dpmpp{}).usual_steps, facts_of(Ddim{}).usual_steps,
                             facts_of(Consistency{}).usual_steps))
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->group(kGroup);
  for (const SamplerOptionHelp& option : kSamplerOptions)
    app.add_option_function<double>(
           option.flag, [&o, name = option.name](double value) { o.sampler_options[name] = value; },
           option.help)
        ->type_name("X")
        ->group(kGroup);
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
  app.add_option(
         "--guidance", o.guidance,
         "Strength of class or words: 1 as trained, above 1 stronger\n(default: 1, with words 3; needs "
         "a model trained with label or caption dropout, or --guide)")
      ->type_name("X")
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
    if (given && o.guidance.value_or(1) == 1)
      throw Error(ErrorKind::usage, fmt::format("{} needs --guidance with a strength other than 1", option));
}

void apply_sampling_options(const SamplingOptions& o, const Model& model, Model* guide, GenerateOptions& g) {
  SamplingRecipe recipe = default_recipe(model);
  if (o.sampler)
    recipe = with_sampler(scheduler_recipe(model), find_sampler(*o.sampler), model.preconditioner);
  if (o.spacing) recipe = with_spacing(recipe, parse_spacing(*o.spacing));
  if (o.steps) recipe.steps = *o.steps;
  for (const auto& [name, value] : o.sampler_options) set_option(recipe.sampler, name, value);
  if (o.guidance) recipe.guidance.scale = *o.guidance;
  recipe.guidance.rescale = o.guidance_rescale.value_or(0);
  if (!o.guidance_interval.empty()) {
    recipe.guidance.sigma_low = o.guidance_interval[0];
    recipe.guidance.sigma_high = o.guidance_interval[1];
  }
  g.recipe = std::move(recipe);
  g.guide = guide;
  if (o.label) apply_label(*o.label, model, g);
}

void apply_label(const std::string& label, const Model& model, GenerateOptions& g) {
  const auto is_it = [&](const std::string& name) { return same_word(name, label); };
  g.without_class =
      model.null_class && same_word(label, "none") && std::ranges::none_of(model.class_names, is_it);
  g.label.reset();
  if (!g.without_class) g.label = parse_class(model, label);
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
