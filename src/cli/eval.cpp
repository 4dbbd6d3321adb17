#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/model_path.h"
#include "cli/options.h"
#include "cli/sampling_options.h"
#include "data/registry.h"
#include "diffusion/generate.h"
#include "eval/classifier_files.h"
#include "eval/evaluation.h"
#include "eval/image_sets.h"

namespace diffusion {

namespace {

constexpr int kDefaultCount = 10000;

struct EvalOptions {
  std::string model, samples, data, features, split = "test";
  DataOptions source;
  int count = kDefaultCount;
  GenerateOptions generate;
  SamplingOptions sampling;
  MachineOptions machine;
  bool offline = false, json = false, quiet = false;
};

struct Samples {
  Dataset images;  // with labels if each was made to be of a class
  int steps = 0;   // 0: not made here
  std::string sampler = {};
};

bool is_array(const std::string& path) {
  return path.ends_with(".npy");
}

Samples make_samples(const EvalOptions& o) {
  Model model = read_pipeline(find_pipeline(o.model));
  std::optional<Model> guide;
  if (!o.sampling.guide.empty()) guide = read_pipeline(find_pipeline(o.sampling.guide));
  if (model.traits().sample_size[0] == 0)
    throw Error(
        ErrorKind::usage,
        fmt::format("{} does not tell the size of its images (sample_size in its config.json)", o.model));
  GenerateOptions g = o.generate;
  apply_sampling_options(o.sampling, model, guide ? &*guide : nullptr, g);
  g.count = o.count;
  g.batch = std::min(g.batch, g.count);
  const std::unique_ptr<Device> device = make_device(o.machine);
  Progress progress("sample", g.count, o.quiet, "images");
  const std::vector<Image> images = generate(model, *device, g, [&](const GenerateStep& step) {
    const double share = double(step.step + 1) / step.steps;
    progress.update((step.first_image + share * step.images) / g.count,
                    fmt::format("step {}/{}", step.step + 1, step.steps));
  });
  Samples samples{dataset_of(images, o.model), g.steps, g.sampler};
  if (const int classes = model.class_count(); classes > 0)
    for (int i = 0; i < g.count; ++i)
      samples.images.labels.push_back(std::uint16_t(g.label.value_or(i % classes)));
  samples.images.class_names = model.class_names;
  return samples;
}

Samples read_samples(const EvalOptions& o, bool counted) {
  Samples samples{is_array(o.samples) ? read_image_array(o.samples) : load_dataset(o.samples, {})};
  samples.images.labels.clear();  // what a folder's images are is not what somebody asked a model for
  if (!counted) return samples;
  samples.images = random_images(samples.images, o.count, 0);
  return samples;
}

// Real images that the others are compared with, and, for the floor, others that are real.
struct Reference {
  Dataset images;
  std::optional<Dataset> others;
};

Reference read_reference(const EvalOptions& o) {
  if (is_array(o.data)) return {read_image_array(o.data), std::nullopt};
  if (o.split != "test" && o.split != "train")
    throw Error(ErrorKind::usage, fmt::format("--split is \"{}\"; accepted are: test, train", o.split));
  DataOptions source = o.source;
  source.allow_download = !o.offline;
  source.split = o.split == "test" ? Split::test : Split::train;
  Reference reference{load_dataset(o.data, source), std::nullopt};
  source.split = o.split == "test" ? Split::train : Split::test;
  Dataset others = load_dataset(o.data, source);
  if (others.fingerprint() != reference.images.fingerprint()) reference.others = std::move(others);
  return reference;
}

FeatureSet extract(FeatureNetwork& net, const Dataset& images, const Device& device, const char* what,
                   bool quiet, std::vector<int>* predicted = nullptr) {
  Progress progress(what, images.count(), quiet, "images");
  Extracted extracted =
      extract_features(net.classifier, images, device, [&](double share) { progress.update(share); });
  if (predicted) *predicted = std::move(extracted.predicted);
  return std::move(extracted.features);
}

// The share of the images of each class that the feature network takes for that class.
std::vector<double> agreement(const std::vector<int>& predicted, const Dataset& images, std::size_t classes) {
  std::vector<double> right(classes), all(classes);
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    ++all[images.labels[i]];
    if (predicted[i] == images.labels[i]) ++right[images.labels[i]];
  }
  for (std::size_t k = 0; k < classes; ++k) right[k] = all[k] == 0 ? std::nan("") : right[k] / all[k];
  return right;
}

using Row = std::pair<const char*, Score>;
std::vector<Row> rows_of(const Evaluation& e) {
  return {{"frechet_distance", e.frechet}, {"kid", e.kid},
          {"precision", e.prdc.precision}, {"recall", e.prdc.recall},
          {"density", e.prdc.density},     {"coverage", e.prdc.coverage}};
}

Json to_json(const Evaluation& e) {
  Json::Object object{{"images", e.generated}, {"real_images", e.real}};
  for (const auto& [name, score] : rows_of(e))
    object[name] =
        Json::Object{{"value", score.value}, {"low", score.interval.low}, {"high", score.interval.high}};
  return object;
}

int run(const CLI::App& app, const EvalOptions& o) {
  if (o.model.empty() == o.samples.empty())
    throw Error(ErrorKind::usage,
                "give either a MODEL, or --samples with a folder of images or an .npy file");
  if (!o.samples.empty())
    for (const char* option :
         {"--sampler", "--steps", "--seed", "--label", "--guidance", "--guide", "--spacing"})
      if (app.count(option) > 0)
        throw Error(ErrorKind::usage, fmt::format("{} is for a MODEL; --samples are made already", option));
  check_sampling_names(o.sampling);
  const std::string source = o.model.empty() ? o.samples : o.model;
  const Json source_path = o.json ? path_to_json(source) : Json(nullptr);
  FeatureNetwork net = read_feature_network(o.features);
  const Reference reference = read_reference(o);
  const Samples samples = o.model.empty() ? read_samples(o, app.count("--count") > 0) : make_samples(o);
  if (!o.samples.empty()) set_threads(o.machine.threads);
  const std::unique_ptr<Device> device = make_cpu_device(Precision::f32);

  std::vector<int> predicted;
  const FeatureSet real = extract(net, reference.images, *device, "features of real images", o.quiet);
  const FeatureSet generated =
      extract(net, samples.images, *device, "features of samples", o.quiet, &predicted);
  const EvaluationOptions options;
  const Evaluation result = evaluate(generated, real, options);
  const auto floor_of = [&] {
    if (!reference.others) {
      const int half = std::min(generated.count, real.count / 2);
      return evaluate(random_part(real, half, 0, 1), random_part(real, half, 1, 1), options);
    }
    const int count = std::min(generated.count, reference.others->count());
    return evaluate(extract(net, random_images(*reference.others, count, 1), *device,
                            "features of other real images", o.quiet),
                    real, options);
  };
  const Evaluation floor = floor_of();
  const std::vector<std::string>& names = net.classifier.config.class_names;
  const bool has_classes = !samples.images.labels.empty() && samples.images.class_names == names;
  const std::vector<double> classes =
      has_classes ? agreement(predicted, samples.images, names.size()) : std::vector<double>();
  const double agreed = has_classes ? accuracy(predicted, samples.images) : 0;

  if (o.json) {
    Json::Object json{{"samples", source_path},
                      {"data", reference.images.name},
                      {"features_sha256", net.sha256},
                      {"scores", to_json(result)},
                      {"real_against_real", to_json(floor)}};
    if (samples.steps > 0) {
      json["steps"] = samples.steps;
      json["sampler"] = samples.sampler;
    }
    if (has_classes) {
      Json::Object by_class;
      for (std::size_t k = 0; k < classes.size(); ++k)
        by_class[names[k]] = std::isfinite(classes[k]) ? Json(classes[k]) : Json(nullptr);
      json["class_agreement"] = agreed;
      json["class_agreement_by_class"] = std::move(by_class);
    }
    print_json(json);
    return 0;
  }
  print_line(fmt::format("{} images of {} against {} real ones of {}; {} features, sha256 {}",
                         generated.count, source, real.count, reference.images.name, real.width,
                         net.sha256.substr(0, 12)));
  print_line(fmt::format("{:<18} {:>9}  {:>20}  real against real ({} and {})", "", "value", "5% to 95%",
                         floor.generated, floor.real));
  const std::vector<Row> rows = rows_of(result), floors = rows_of(floor);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Score& s = rows[i].second;
    print_line(fmt::format("{:<18} {:>9.5f}  {:>9.5f} {:>10.5f}  {:.5f}", rows[i].first, s.value,
                           s.interval.low, s.interval.high, floors[i].second.value));
  }
  if (!has_classes) return 0;
  print_line(fmt::format("{:<18} {:>9.5f}  samples that the feature network takes for their class",
                         "class_agreement", agreed));
  for (std::size_t k = 0; k < classes.size(); ++k)
    if (std::isfinite(classes[k])) print_line(fmt::format("  {:<16} {:>9.5f}", names[k], classes[k]));
  return 0;
}

}  // namespace

std::function<int()> add_eval(CLI::App& app) {
  const auto o = std::make_shared<EvalOptions>();
  app.add_option("MODEL", o->model,
                 "Directory of a training run (its newest checkpoint) or of a diffusers pipeline")
      ->type_name("");
  app.add_option("--samples", o->samples,
                 "Images that are made already, instead of a MODEL:\na folder of images, or .npy with uint8 "
                 "[N, H, W, C]")
      ->type_name("A");
  app.add_option("--data", o->data, "Real images: a data set, a folder of images, or .npy")
      ->required()
      ->type_name("B");
  app.add_option("--features", o->features, "Directory of a feature network (diffusion train-features)")
      ->required()
      ->type_name("DIR");
  app.add_option("--split", o->split, "Which real images: test or train")
      ->type_name("SPLIT")
      ->capture_default_str();
  app.add_option("-n,--count", o->count, "Images to make; of --samples, that many at random (default: all)")
      ->check(in_range(6, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--data-dir", o->source.data_dir,
                 "Where to look for the data instead of DIFFUSION_DATA_DIR and the cache")
      ->type_name("DIR");
  app.add_flag("--offline", o->offline, "Never fetch data from the network");
  add_seed_and_label_options(app, o->generate.seed, o->sampling);
  add_sampler_options(app, o->sampling);
  add_spacing_option(app, o->sampling);
  add_guidance_options(app, o->sampling);
  add_json_flag(app, o->json);
  add_quiet_flag(app, o->quiet);
  app.add_option("--batch", o->generate.batch, "Images computed together; less needs less memory")
      ->check(in_range(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str()
      ->group("Machine");
  add_machine_options(app, o->machine);
  app.footer(
      "Examples:\n"
      "  diffusion eval runs/fashion --data fashion-mnist --features features --steps 20\n"
      "  diffusion eval --samples others.npy --data fashion-mnist --features features --json");
  return [&app, o] { return run(app, *o); };
}

}  // namespace diffusion
