#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include <diffusion/generate.h>
#include "base/progress.h"
#include "cli/commands/commands.h"
#include "cli/options/model_path.h"
#include "cli/options/options.h"
#include "cli/options/sampling_options.h"
#include "cli/output/picture_output.h"
#include "cli/output/sampler_sheet.h"
#include "diffusers/pipeline.h"
#include "diffusion/model.h"
#include "diffusion/sampling_recipe.h"
#include "pictures/resize.h"

namespace diffusion {

namespace {

struct CompareOptions {
  std::string model, out;
  std::vector<std::string> samplers;
  std::vector<int> steps{5, 10, 20, 50};
  int count = 8, reference_steps = 200;
  std::uint64_t seed = 0;
  SamplingOptions sampling;
  MachineOptions machine;
  bool json = false, quiet = false;
};

// One sampler with one number of steps.
struct Trial {
  GenerateOptions generate;  // with a recipe
  int evaluations = 0;

  const Sampler& sampler() const { return generate.recipe->sampler; }
  int steps() const { return generate.recipe->steps; }
};

struct Outcome {
  std::vector<Image> images;
  std::vector<double> raw;  // before rounding
  double seconds = 0;
  std::optional<double> distance;  // RMS to the reference; none if that means nothing
};

// Those that solve the equations well, and ddpm to compare with. Over the time of a flow euler is the same as
// ddim.
std::vector<std::string> default_samplers(const Model& model) {
  const ProcessFacts facts = model.preconditioner.facts();
  return {std::string(facts.first_order),
          std::string(facts.second_order),
          "dpmpp_2m",
          "dpmpp_3m",
          "unipc",
          "ipndm",
          "dpmpp_3m_sde",
          "ddpm"};
}

Trial make_trial(const CompareOptions& o, const Model& model, Model* guide, const std::string& sampler,
                 int steps) {
  SamplingOptions sampling = o.sampling;
  sampling.sampler = sampler;
  sampling.steps = steps;
  Trial trial;
  apply_sampling_options(sampling, model, guide, trial.generate);
  trial.generate.count = o.count;
  trial.generate.seed = o.seed;
  const SamplingRecipe& recipe = *trial.generate.recipe;
  const auto [sampler_on_them, levels] = sampler_on_levels(recipe, model.preconditioner);
  trial.evaluations = evaluations_of(sampler_on_them, levels.sigmas);
  return trial;
}

double root_mean_square(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum / double(a.size()));
}

// Runs trials and tells how far it is.
class Runner {
 public:
  Runner(Model& model, const Device& device, std::span<const Trial> trials, bool quiet)
      : model_(model), device_(device), progress_("compare-samplers", 0, quiet) {
    for (const Trial& trial : trials) total_ += trial.evaluations;
  }

  Outcome run(const Trial& trial) {
    Outcome outcome;
    const auto start = std::chrono::steady_clock::now();
    outcome.images = generate(model_, device_, trial.generate, [&](const GenerateStep& step) {
      if (step.step + 1 == step.steps) outcome.raw.insert(outcome.raw.end(), step.x.begin(), step.x.end());
      const double share =
          (step.first_image + double(step.step + 1) / step.steps * step.images) / trial.generate.count;
      progress_.update((done_ + share * trial.evaluations) / total_,
                       fmt::format("{}, {} steps", name_of(trial.sampler()), trial.steps()));
    });
    outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    done_ += trial.evaluations;
    return outcome;
  }

  void finish() { progress_.finish(); }

 private:
  Model& model_;
  const Device& device_;
  Progress progress_;
  double total_ = 0, done_ = 0;
};

std::string duration_text(double seconds) {
  return seconds < 1 ? fmt::format("{:.3g} ms", 1000 * seconds) : fmt::format("{:.3g} s", seconds);
}

SheetCell cell_of(const Trial& trial, const Outcome& outcome) {
  constexpr int kVisibleSide = 64;
  const Image& first = outcome.images.front();
  const int scale = std::max(kVisibleSide / std::max(first.width, first.height), 1);
  const int columns =
      int(std::ceil(std::sqrt(2.0 * double(outcome.images.size()))));  // twice as wide as high
  SheetCell cell{to_channels(draw({std::min(columns, int(outcome.images.size())), scale}, outcome.images), 3,
                             {255, 255, 255}),
                 {}};
  cell.captions.push_back(fmt::format("{} evaluation{}, {} an image", trial.evaluations,
                                      trial.evaluations == 1 ? "" : "s",
                                      duration_text(outcome.seconds / double(outcome.images.size()))));
  if (outcome.distance) cell.captions.push_back(fmt::format("{:.3f} from the solution", *outcome.distance));
  return cell;
}

std::string headline(const CompareOptions& o, const Model& model) {
  std::string text =
      fmt::format("{}: from the same noise (seed {}) with different samplers", o.model, o.seed);
  if (o.sampling.label && !model.class_names.empty()) text += fmt::format(", class {}", *o.sampling.label);
  if (o.sampling.spacing) text += fmt::format(", spacing {}", *o.sampling.spacing);
  if (o.sampling.guidance.value_or(1) != 1) text += fmt::format(", guidance {}", *o.sampling.guidance);
  return text;
}

Image sheet_of(const CompareOptions& o, const Model& model, std::span<const Trial> trials,
               std::span<const Outcome> outcomes) {
  std::vector<std::string> columns;
  for (const int steps : o.steps) columns.push_back(fmt::format("{} step{}", steps, steps == 1 ? "" : "s"));
  std::vector<SheetRow> rows;
  for (std::size_t k = 0; k + 1 < trials.size(); ++k) {
    if (k % o.steps.size() == 0)
      rows.push_back({std::string(name_of(trials[k].sampler())),
                      facts_of(trials[k].sampler()).stochastic ? "with fresh noise" : "",
                      {}});
    rows.back().cells.push_back(cell_of(trials[k], outcomes[k]));
  }
  const Trial& reference = trials.back();
  rows.push_back({"solution",
                  fmt::format("{}, {} steps", name_of(reference.sampler()), reference.steps()),
                  {cell_of(reference, outcomes.back())}});
  const Image sheet = draw_sheet(headline(o, model), columns, rows);
  const bool gray = model.traits().in_channels <= 2;
  return gray ? to_channels(sheet, 1, {255, 255, 255}) : sheet;
}

Json to_json(const Trial& trial, const Outcome& outcome) {
  return Json::Object{{"sampler", name_of(trial.sampler())},
                      {"steps", trial.steps()},
                      {"evaluations", trial.evaluations},
                      {"seconds_per_image", outcome.seconds / double(outcome.images.size())},
                      {"rms_to_reference", outcome.distance ? Json(*outcome.distance) : Json(nullptr)}};
}

void print_table(std::span<const Trial> trials, std::span<const Outcome> outcomes) {
  print_line(fmt::format("{:<16} {:>5}  {:>11}  {:>9}  {:>17}", "sampler", "steps", "evaluations",
                         "per image", "from the solution"));
  for (std::size_t k = 0; k < trials.size(); ++k)
    print_line(fmt::format("{:<16} {:>5}  {:>11}  {:>9}  {:>17}", name_of(trials[k].sampler()),
                           trials[k].steps(), trials[k].evaluations,
                           duration_text(outcomes[k].seconds / double(outcomes[k].images.size())),
                           outcomes[k].distance ? fmt::format("{:.3f}", *outcomes[k].distance) : "-"));
}

int run(const CompareOptions& o) {
  for (const std::string& sampler : o.samplers) find_sampler(sampler);
  check_sampling_names(o.sampling);
  std::optional<PictureOutput> output;
  if (!o.out.empty()) {
    output = parse_output(o.out);
    if (!output->is_one_picture())
      throw Error(ErrorKind::usage,
                  fmt::format("-o is \"{}\"; accepted are names that end in .png or .jpg", o.out));
  }
  const Json model_path = o.json ? path_to_json(o.model) : Json(nullptr),
             output_path = o.json && output ? path_to_json(o.out) : Json(nullptr);

  Model model = read_pipeline(chosen_pipeline(o.model), WeightPlace::as_fits);
  std::optional<Model> guide;
  if (!o.sampling.guide.empty())
    guide = read_pipeline(chosen_pipeline(o.sampling.guide), WeightPlace::as_fits);
  if (output) check_channels(*output, model.traits().in_channels);

  std::vector<Trial> trials;
  for (const std::string& sampler : o.samplers.empty() ? default_samplers(model) : o.samplers)
    for (const int steps : o.steps)
      trials.push_back(make_trial(o, model, guide ? &*guide : nullptr, sampler, steps));
  trials.push_back(make_trial(o, model, guide ? &*guide : nullptr,
                              std::string(model.preconditioner.facts().second_order), o.reference_steps));

  const auto device = make_device(o.machine);
  Runner runner(model, *device, trials, o.quiet);
  Outcome reference = runner.run(trials.back());
  std::vector<Outcome> outcomes;
  for (std::size_t k = 0; k + 1 < trials.size(); ++k) {
    outcomes.push_back(runner.run(trials[k]));
    if (!facts_of(trials[k].sampler()).stochastic)
      outcomes.back().distance = root_mean_square(outcomes.back().raw, reference.raw);
  }
  outcomes.push_back(std::move(reference));
  runner.finish();

  if (output) write_picture(*output, sheet_of(o, model, trials, outcomes));
  if (!o.json) {
    print_table(trials, outcomes);
    return 0;
  }
  Json::Array cells;
  for (std::size_t k = 0; k + 1 < trials.size(); ++k) cells.push_back(to_json(trials[k], outcomes[k]));
  print_json(Json::Object{{"model", model_path},
                          {"seed", std::int64_t(o.seed)},
                          {"images", o.count},
                          {"guidance", o.sampling.guidance.value_or(1)},
                          {"reference", to_json(trials.back(), outcomes.back())},
                          {"cells", std::move(cells)},
                          {"output", output_path}});
  return 0;
}

}  // namespace

std::function<int()> add_compare_samplers(CLI::App& app) {
  const auto o = std::make_shared<CompareOptions>();
  const auto most = std::numeric_limits<int>::max();
  add_model_option(app, o->model)->required();
  app.add_option("-o,--out", o->out,
                 "Picture to write, .png or .jpg: a row for each sampler, a column for each\nnumber of steps")
      ->type_name("FILE");
  app.add_option("--samplers", o->samplers,
                 "Samplers, by their names in 'diffusion sample --help' (default: ddim, heun,\ndpmpp_2m, "
                 "dpmpp_3m, unipc, "
                 "ipndm, dpmpp_3m_sde, ddpm; on a flow euler and\nflow_heun instead of the first two)")
      ->delimiter(',')
      ->type_name("A,B,...");
  app.add_option("--steps", o->steps, "Numbers of steps")
      ->delimiter(',')
      ->check(in_range(1, most))
      ->type_name("N,M,...")
      ->capture_default_str();
  app.add_option("-n,--count", o->count, "Images in a cell")
      ->check(in_range(1, 1024))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--reference-steps", o->reference_steps,
                 "Steps of Heun's method for the solution that samplers without fresh noise\nare measured "
                 "against: root mean "
                 "square difference of pixels, -1 to 1")
      ->check(in_range(1, most))
      ->type_name("N")
      ->capture_default_str();
  add_seed_and_label_options(app, o->seed, o->sampling);
  add_spacing_option(app, o->sampling);
  add_guidance_options(app, o->sampling);
  add_json_flag(app, o->json);
  add_quiet_flag(app, o->quiet);
  add_machine_options(app, o->machine);
  app.footer(
      "An evaluation is a call of the network for every image (two with guidance). Times include everything "
      "and are only\n"
      "comparable where nothing else runs.\n"
      "Example:\n"
      "  diffusion compare-samplers runs/fashion --samplers ddim,heun,dpmpp_3m --steps 5,10,20 -o "
      "samplers.png");
  return [o] { return run(*o); };
}

}  // namespace diffusion
