#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include <diffusion/error.h>
#include <diffusion/robustness.h>
#include "base/progress.h"
#include "cli/commands/commands.h"
#include "cli/options/attack_options.h"
#include "cli/options/edit_options.h"
#include "cli/options/options.h"
#include "cli/options/sampling_options.h"
#include "cli/output/picture_result.h"
#include "eval/attack.h"
#include "eval/feature_network.h"

namespace diffusion {

namespace {

struct AttackCommand {
  std::string classifier;
  AttackedData data;
  AttackArguments attack;
  std::uint64_t seed = 0;
  int batch = AttackOptions{}.batch;
  MachineOptions machine;
  ResultOptions result;
};

int run(const CLI::App& app, const AttackCommand& o) {
  const PictureOutput output = check_result(app, o.result);
  const auto device = make_attack_device(o.machine);
  const AttackOptions options = attack_options(o.attack, o.seed, o.batch);
  FeatureNetwork net = read_classifier(o.classifier);
  Dataset pictures = labeled_for(net.classifier.config, read_attacked(o.data, o.seed).pictures);
  check_result_fits(output, o.result, pictures.count(), pictures.channels, pictures.width, pictures.height);
  const double before = accuracy(extract_features(net.classifier, pictures, *device).predicted, pictures);
  const auto start = std::chrono::steady_clock::now();
  Progress progress("attack", pictures.count(), o.result.quiet, "images");
  const std::vector<Image> images =
      attack(o.classifier, pictures, options, [&](double share) { progress.update(share); });
  progress.finish();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const Dataset changed = dataset_of(images, "attacked");
  const double after = accuracy(extract_features(net.classifier, changed, *device).predicted, pictures);
  write_result(output, o.result, images, 0);
  if (o.result.json)
    print_json(Json::Object{{"classifier", path_to_json(o.classifier)},
                            {"data", pictures.name},
                            {"count", pictures.count()},
                            {"norm", to_string(options.norm)},
                            {"eps", options.eps},
                            {"steps", options.steps},
                            {"accuracy_before", before},
                            {"accuracy_after", after},
                            {"seconds", seconds},
                            {"outputs", Json::Array{path_to_json(o.result.out)}}});
  else
    print_line(
        fmt::format("{}: the classifier is right in {:.1f}% before and {:.1f}% after changes of "
                    "at most {:.3g} ({}), {:.1f} s: {}",
                    counted_pictures(pictures.count()), 100 * before, 100 * after, options.eps,
                    to_string(options.norm), seconds, o.result.out));
  return 0;
}

}  // namespace

std::function<int()> add_attack(CLI::App& app) {
  const auto o = std::make_shared<AttackCommand>();
  add_classifier_option(app, "CLASSIFIER", o->classifier)->type_name("");
  add_attacked_data_options(app, o->data);
  app.get_option("--data")->required();
  add_attack_options(app, o->attack, "--steps");
  app.add_option("--seed", o->seed, "Which pictures, and where the ascent begins")
      ->check(at_least(0))
      ->type_name("N")
      ->capture_default_str();
  add_result_options(app, o->result, "attacked.npy");
  add_batch_option(app, o->batch);
  add_machine_options(app, o->machine);
  app.footer(
      "To measure robustness of one's own classifiers, and what purification does for it.\n"
      "Example:\n"
      "  diffusion attack fashion-mnist --data fashion-mnist -n 16 --eps 16/255 -o attacked.npy");
  return [&app, o] { return run(app, *o); };
}

}  // namespace diffusion
