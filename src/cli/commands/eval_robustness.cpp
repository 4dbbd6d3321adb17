#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>
#include <memory>
#include <optional>

#include <diffusion/error.h>
#include <diffusion/robustness.h>
#include "cli/commands/commands.h"
#include "cli/commands/part_progress.h"
#include "cli/options/attack_options.h"
#include "cli/options/edit_options.h"
#include "cli/options/options.h"
#include "cli/output/robustness_report.h"
#include "eval/feature_network.h"

namespace diffusion {

namespace {

struct RobustnessCommand {
  std::string classifier;
  AttackedData data;
  AttackArguments attack;
  std::optional<double> level;
  int draws = RobustnessOptions{}.draws;
  EditSampling sampling;
  bool json = false, quiet = false;
};

// The data set that the classifier has learned from.
std::string data_of(const FeatureNetwork& net, const std::string& classifier) {
  const Json* data = net.origin.find("data");
  if (const auto* name = data ? std::get_if<std::string>(&data->value()) : nullptr) return *name;
  throw Error(ErrorKind::usage,
              fmt::format("{} does not say what it has learned from; give --data", classifier));
}

int run(const CLI::App& app, const RobustnessCommand& o) {
  const AttackOptions attack = attack_options(o.attack, o.sampling.generate.seed, o.sampling.generate.batch);
  static_cast<void>(make_attack_device(o.sampling.machine));  // sets the threads
  if (app.count("--first") > 0)
    throw Error(ErrorKind::usage,
                "--first is for commands that make pictures; --seed and --count say which are "
                "attacked");
  EditSetup setup(app, o.sampling, "ddpm");
  RobustnessOptions options{setup.purification(o.data.count), o.level, attack, o.draws};
  if (o.level) static_cast<void>(from_level(*options.sampling.recipe, setup.model(), *o.level));
  AttackedData source = o.data;
  if (source.data.empty()) source.data = data_of(read_classifier(o.classifier), o.classifier);
  const AttackedSets sets = read_attacked(source, o.sampling.generate.seed);
  PartProgress progress(o.quiet);
  const Robustness result =
      evaluate_robustness(setup.model(), o.classifier, sets.pictures, sets.others, options,
                          [&](std::string_view part, double share, int pictures) {
                            progress.show({part, share, pictures});
                          });
  progress.finish();
  const RobustnessTitle title{o.sampling.model,
                              o.classifier,
                              source.data,
                              attack,
                              options.draws,
                              options.sampling.recipe->steps,
                              std::string(name_of(options.sampling.recipe->sampler))};
  if (o.json)
    print_json(to_json(title, result));
  else
    print_robustness(title, result);
  return 0;
}

}  // namespace

std::function<int()> add_eval_robustness(CLI::App& app) {
  const auto o = std::make_shared<RobustnessCommand>();
  add_edit_model_option(app, o->sampling);
  add_classifier_option(app, "--classifier", o->classifier)->type_name("C");
  add_attacked_data_options(app, o->data);
  add_attack_options(app, o->attack, "--attack-steps");
  app.add_option("--draws", o->draws, "Draws of the purification's noise for a gradient (EOT)")
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str()
      ->group("Attack");
  app.add_option(
         "--level", o->level,
         "Noise level of the purification, as of diffusion purify (default: the highest at\nwhich other "
         "pictures, not attacked, lose at most 3 points with 95% confidence)")
      ->type_name("SIGMA");
  add_edit_sampling_options(app, o->sampling);
  add_json_flag(app, o->json);
  add_quiet_flag(app, o->quiet);
  app.footer(
      "Without --data: the test images of what the classifier has learned from.\n"
      "Purification is by ddpm with 1 step unless --sampler and --steps say otherwise.\n"
      "What is measured is what these attacks reach, which is no guarantee of security.\n"
      "Example:\n"
      "  diffusion eval-robustness fashion-mnist --classifier fashion-mnist --eps 8/255 -n 64");
  return [&app, o] { return run(app, *o); };
}

}  // namespace diffusion
