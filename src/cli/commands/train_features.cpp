#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include <diffusion/error.h>
#include "base/progress.h"
#include "base/version.h"
#include "cli/commands/commands.h"
#include "cli/options/options.h"
#include "data/registry.h"
#include "eval/classifier_files.h"
#include "eval/classifier_training.h"

namespace diffusion {

namespace {

struct FeatureOptions {
  std::string data, out;
  DataOptions source;
  ClassifierTraining training;
  MachineOptions machine;
  bool offline = false, json = false, quiet = false;
};

int run(const FeatureOptions& o) {
  DataOptions source = o.source;
  source.allow_download = !o.offline;
  const Json out_path = o.json ? path_to_json(o.out) : Json(nullptr);
  const Dataset data = load_dataset(o.data, source);
  source.split = Split::test;
  const Dataset test = load_dataset(o.data, source);
  if (data.labels.empty() || test.labels.empty())
    throw Error(ErrorKind::usage,
                fmt::format("{} has no labels; a feature network learns to tell classes apart", o.data));
  if (test.fingerprint() == data.fingerprint())
    throw Error(ErrorKind::usage, fmt::format("{} has no images for testing apart from those for training; "
                                              "accepted are folders with train/ and test/, and named sets",
                                              o.data));
  ClassifierConfig config{{data.height, data.width}, data.channels, data.class_names};
  const auto device = make_device(o.machine);
  Classifier classifier = make_classifier(config, o.training.seed);

  const auto start = std::chrono::steady_clock::now();
  Progress progress("train-features", 0, o.quiet);
  double loss = 0, right = 0;  // running averages, of about the last 50 steps
  train_classifier(classifier, data, *device, o.training, [&](const ClassifierStep& step) {
    const double keep = step.step == 1 ? 0 : 0.98;
    loss = keep * loss + (1 - keep) * step.loss;
    right = keep * right + (1 - keep) * step.accuracy;
    progress.update(
        double(step.step) / double(step.steps),
        fmt::format("step {}/{}, loss {:.3f}, {:.1f}% right", step.step, step.steps, loss, 100 * right));
  });
  progress.finish();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto exact = make_cpu_device(Precision::f32);
  const double share = accuracy(extract_features(classifier, test, *exact).predicted, test);

  Json::Object origin{
      {"data", data.name},         {"fingerprint", fmt::format("{:016x}", data.fingerprint())},
      {"images", data.count()},    {"test_images", test.count()},
      {"test_accuracy", share},    {"epochs", o.training.epochs},
      {"batch", o.training.batch}, {"seed", std::int64_t(o.training.seed)},
      {"cpu", cpu_description()},  {"version", version()}};
  const std::string hash = write_feature_network(o.out, classifier, origin);
  if (o.json)
    print_json(Json::Object{{"out", out_path},
                            {"sha256", hash},
                            {"test_accuracy", share},
                            {"features", config.feature_width()},
                            {"parameters", classifier.params.layout().parameter_count()},
                            {"seconds", seconds}});
  else
    print_line(fmt::format("{}: {} features, {:.2f}% of {} test images right, {:.0f} s", o.out,
                           config.feature_width(), 100 * share, test.count(), seconds));
  return 0;
}

}  // namespace

std::function<int()> add_train_features(CLI::App& app) {
  const auto o = std::make_shared<FeatureOptions>();
  app.add_option("--data", o->data, "The data set, with labels (see diffusion train --help)")
      ->required()
      ->type_name("DATA");
  app.add_option("-o,--out", o->out, "Directory to write: features.safetensors and features.json")
      ->required()
      ->type_name("DIR");
  app.add_option("--epochs", o->training.epochs, "How often to see each image")
      ->check(CLI::Range(0.001, 1000.0))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--seed", o->training.seed, "Of weights and order")->type_name("N")->capture_default_str();
  app.add_option("--data-dir", o->source.data_dir,
                 "Where to look for the data instead of DIFFUSION_DATA_DIR and the cache")
      ->type_name("DIR");
  app.add_flag("--offline", o->offline, "Never fetch data from the network");
  add_json_flag(app, o->json);
  add_quiet_flag(app, o->quiet);
  add_machine_options(app, o->machine);
  app.footer("Example:\n  diffusion train-features --data fashion-mnist -o features");
  return [o] { return run(*o); };
}

}  // namespace diffusion
