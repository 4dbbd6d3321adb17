#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "base/progress.h"
#include "base/version.h"
#include "cli/commands/commands.h"
#include "cli/options/data_options.h"
#include "cli/options/options.h"
#include "eval/caption_classes.h"
#include "eval/caption_network.h"
#include "eval/classifier_files.h"
#include "eval/classifier_training.h"

namespace diffusion {

namespace {

struct FeatureOptions {
  std::string data, out;
  DataArguments source;
  CaptionArguments captions;
  std::optional<double> epochs;
  std::uint64_t seed = 0;
  MachineOptions machine;
  bool json = false, quiet = false;
};

// What is learned, and how.
struct Lesson {
  Dataset data;
  std::optional<Dataset> test;  // none: words, of each of which there may be but one picture
  ClassifierConfig config;
  ClassifierTraining training;
};

Lesson lesson_of_labels(const FeatureOptions& o, DataLoader& loader) {
  Lesson lesson{loader.load(o.data).dataset, loader.load(o.data, Split::test).dataset, {}, {}};
  const Dataset& data = lesson.data;
  if (data.labels.empty() || lesson.test->labels.empty())
    throw Error(ErrorKind::usage,
                fmt::format("{} has no labels; a feature network learns to tell classes apart, or with "
                            "--captions the words of pictures",
                            o.data));
  if (lesson.test->fingerprint() == data.fingerprint())
    throw Error(
        ErrorKind::usage,
        fmt::format("{} has no images for testing apart from those for training; accepted are folders "
                    "with train/ and test/, named sets, and --held-out-list",
                    o.data));
  lesson.config = {{data.height, data.width}, data.channels, data.class_names};
  return lesson;
}

Lesson lesson_of_captions(const FeatureOptions& o, const CaptionOptions& captions, DataLoader& loader) {
  loader.take(captions);
  Lesson lesson{with_caption_classes(loader.load(o.data).dataset), std::nullopt, {}, caption_training()};
  lesson.config = caption_config(lesson.data);
  return lesson;
}

Lesson make_lesson(const CLI::App& app, const FeatureOptions& o) {
  if (o.source.random_crop)
    throw Error(ErrorKind::usage,
                "--random-crop is for diffusion train; a feature network sees shifted images");
  const CaptionOptions captions = parse_captions(app, o.captions);
  DataLoader loader(app, o.source, o.quiet);
  Lesson lesson = captions.from == CaptionsFrom::none ? lesson_of_labels(o, loader)
                                                      : lesson_of_captions(o, captions, loader);
  lesson.training.seed = o.seed;
  if (o.epochs) lesson.training.epochs = *o.epochs;
  return lesson;
}

Classifier learn(const Lesson& lesson, const Device& device, bool quiet) {
  Classifier classifier = make_classifier(lesson.config, lesson.training.seed);
  Progress progress("train-features", 0, quiet);
  double loss = 0, right = 0;  // running averages, of about the last 50 steps
  train_classifier(classifier, lesson.data, device, lesson.training, [&](const ClassifierStep& step) {
    const double keep = step.step == 1 ? 0 : 0.98;
    loss = keep * loss + (1 - keep) * step.loss;
    right = keep * right + (1 - keep) * step.accuracy;
    progress.update(
        double(step.step) / double(step.steps),
        fmt::format("step {}/{}, loss {:.3f}, {:.1f}% right", step.step, step.steps, loss, 100 * right));
  });
  progress.finish();
  return classifier;
}

// How well it has learned: for features.json and --json, and for a person.
struct Outcome {
  Json::Object facts;
  std::string text;
};

Outcome test_on(const Dataset& test, Classifier& classifier, const Device& exact) {
  const double share = accuracy(extract_features(classifier, test, exact).predicted, test);
  return {{{"test_accuracy", share}, {"test_images", test.count()}},
          fmt::format("{:.2f}% of {} test images right", 100 * share, test.count())};
}

Outcome test_words(const Lesson& lesson, Classifier& classifier, const Device& exact) {
  const CaptionTest test = test_caption_network(classifier, lesson.data, exact, lesson.training);
  Outcome outcome{{{"captions", std::int64_t(lesson.config.class_names.size())}},
                  fmt::format("{} captions; R@1 and R@5", lesson.config.class_names.size())};
  const auto add = [&](const char* name, const char* words, const Retrieval& r) {
    outcome.facts[name] = Json::Object{{"r_at_1", r.at_1.value}, {"r_at_5", r.at_5.value}};
    outcome.text += fmt::format(", of {} {:.2f}% and {:.2f}%", words, 100 * r.at_1.value, 100 * r.at_5.value);
  };
  add("pictures", "the pictures", test.pictures);
  add("new_views", "new views of them", test.new_views);
  add("half_size", "half of their pixels", test.half_size);
  return outcome;
}

int run(const CLI::App& app, const FeatureOptions& o) {
  const Json out_path = o.json ? path_to_json(o.out) : Json(nullptr);
  const Lesson lesson = make_lesson(app, o);
  const auto device = make_device(o.machine);
  const auto start = std::chrono::steady_clock::now();
  Classifier classifier = learn(lesson, *device, o.quiet);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto exact = make_cpu_device(Precision::f32);
  const Outcome outcome =
      lesson.test ? test_on(*lesson.test, classifier, *exact) : test_words(lesson, classifier, *exact);

  Json::Object origin{
      {"data", lesson.data.name},       {"fingerprint", fmt::format("{:016x}", lesson.data.fingerprint())},
      {"images", lesson.data.count()},  {"epochs", lesson.training.epochs},
      {"batch", lesson.training.batch}, {"seed", std::int64_t(lesson.training.seed)},
      {"cpu", cpu_description()},       {"version", version()}};
  Json::Object result = outcome.facts;
  for (const auto& [name, value] : outcome.facts) origin[name] = value;
  const std::string hash = write_feature_network(o.out, classifier, origin);
  if (!o.json) {
    print_line(fmt::format("{}: {} features, {}, {:.0f} s", o.out, classifier.config.feature_width(),
                           outcome.text, seconds));
    return 0;
  }
  result["out"] = out_path;
  result["sha256"] = hash;
  result["features"] = classifier.config.feature_width();
  result["parameters"] = classifier.params.layout().parameter_count();
  result["seconds"] = seconds;
  print_json(std::move(result));
  return 0;
}

}  // namespace

std::function<int()> add_train_features(CLI::App& app) {
  const auto o = std::make_shared<FeatureOptions>();
  app.add_option("--data", o->data,
                 "The data set, with labels or with --captions (see diffusion train --help)")
      ->required()
      ->type_name("DATA");
  app.add_option("-o,--out", o->out, "Directory to write: features.safetensors and features.json")
      ->required()
      ->type_name("DIR");
  app.add_option("--epochs", o->epochs, "How often to see each image (default: 12, with --captions 150)")
      ->check(CLI::Range(0.001, 1000.0))
      ->type_name("N");
  app.add_option("--seed", o->seed, "Of weights and order")->type_name("N")->capture_default_str();
  add_data_options(app, o->source);
  add_caption_options(app, o->captions);
  add_json_flag(app, o->json);
  add_quiet_flag(app, o->quiet);
  add_machine_options(app, o->machine);
  app.footer(
      "Examples:\n"
      "  diffusion train-features --data fashion-mnist -o features\n"
      "  diffusion train-features --data pictures --captions own --size 32 -o judge");
  return [&app, o] { return run(app, *o); };
}

}  // namespace diffusion
