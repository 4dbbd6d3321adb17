#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "cli/commands/commands.h"
#include "cli/commands/eval_series.h"
#include "cli/commands/eval_sets.h"
#include "cli/commands/eval_words.h"
#include "cli/commands/part_progress.h"
#include "cli/options/model_path.h"
#include "cli/output/eval_report.h"
#include "cli/output/neighbor_sheet.h"
#include "cli/output/picture_output.h"
#include "diffusers/pipeline.h"
#include "eval/protocol.h"
#include "exchange/processes.h"

namespace diffusion {

namespace {

// Of options that need neither model nor data.
void check_options(const CLI::App& app, const EvalOptions& o) {
  if (o.data.empty()) throw Error(ErrorKind::usage, "--data is required");
  for (const char* option : {"--horizon", "--season", "--paths", "--spread"})
    if (app.count(option) > 0) throw Error(ErrorKind::usage, fmt::format("{} is for --series", option));
  if (o.model.empty() == o.samples.empty())
    throw Error(ErrorKind::usage,
                "give either a MODEL, or --samples with a folder of images or an .npy file");
  if (!o.samples.empty())
    for (const char* option : {"--sampler", "--steps", "--seed", "--label", "--guidance", "--guide",
                               "--spacing", "--save-samples", "--bits-per-dimension"})
      if (app.count(option) > 0)
        throw Error(ErrorKind::usage, fmt::format("{} is for a MODEL; --samples are made already", option));
  if (o.words.captions.captions == "none")
    for (const char* option : {"--held-out-list", "--per-caption", "--caption-column", "--max-uncaptioned"})
      if (app.count(option) > 0) throw Error(ErrorKind::usage, fmt::format("{} needs --captions", option));
  if (o.classification_score && o.sampling.label)
    throw Error(ErrorKind::usage,
                "--classification-score needs samples of all classes, and --label makes one");
  check_sampling_names(o.sampling);
  if (!o.neighbors.empty() && !parse_output(o.neighbors).is_one_picture())
    throw Error(
        ErrorKind::usage,
        fmt::format("--neighbors is \"{}\"; accepted are names that end in .png or .jpg", o.neighbors));
  if (!o.save_samples.empty() && parse_output(o.save_samples).form != PictureForm::npy)
    throw Error(ErrorKind::usage,
                fmt::format("--save-samples is \"{}\"; accepted are names that end in .npy", o.save_samples));
}

void draw_sheet(const EvalOptions& o, const EvalReport& report, const Dataset& samples,
                const RealSets& sets) {
  std::string headline =
      fmt::format("{}: the images of {} that are nearest to samples", report.samples, sets.searched().name);
  if (report.copies)
    headline += fmt::format("; of test images {}% are nearer than {:.0f} (pixels), {:.3g} (features)",
                            100 * kSuspectQuantile, report.copies->pixels.test_quantile,
                            report.copies->features.test_quantile);
  write_picture(parse_output(o.neighbors), draw_neighbors({samples, sets.searched(), report.nearest->pixels,
                                                           report.nearest->features, headline}));
}

RealSets read_real_sets(const EvalOptions& o, const ClassifierConfig* classifier, const MelForm& mel) {
  DataOptions source = o.source;
  source.prepare.mel = mel;
  source.allow_download = !o.offline;
  return read_real_sets(o.data, o.split, source,
                        classifier ? std::optional(classifier->class_names) : std::nullopt);
}

// What has no samples to share.
void check_alone(std::string_view what) {
  if (started_together())
    throw Error(ErrorKind::usage,
                fmt::format("several processes were started together, and {} is for one; they can share the "
                            "samples of a MODEL of images",
                            what));
}

int run(const CLI::App& app, EvalOptions& o) {
  check_options(app, o);
  if (o.words.captions.captions != "none") {
    check_alone("--captions");
    return eval_words(app, o);
  }
  if (o.model.empty()) check_alone("--samples");
  const Communicator communicator = join(o.processes, o.quiet, o.json);
  const std::string source = o.model.empty() ? o.samples : o.model;
  const Json source_path = o.json ? path_to_json(source) : Json(nullptr);
  EvalNetwork net = read_eval_network(o.features, o.data);
  const ClassifierConfig* classifier = classifier_of(net);
  std::optional<Model> model;
  if (!o.model.empty()) model = read_pipeline(chosen_pipeline(o.model), WeightPlace::as_fits);
  const RealSets sets = read_real_sets(o, classifier, model && model->mel ? *model->mel : MelForm{});
  const std::vector<std::string>& class_names =
      classifier ? classifier->class_names : sets.images.class_names;
  if (o.classification_score) check_classification(net, sets, model ? &*model : nullptr);
  const auto device = make_device(o.machine);
  PartProgress progress(o.quiet);
  const auto watch = [&](const EvaluationProgress& now) { progress.show(now); };
  std::optional<BitsPerDimension> bits;
  const auto measure_bits = [&] {
    if (!model || !o.likelihood.wanted) return;
    bits = evaluate_likelihood(*model, sets.test(), o.likelihood.images, *make_cpu_device(Precision::f32),
                               watch);
    progress.finish();
  };
  // First, because it says at once if the model is not for such images; but others would wait for it.
  if (communicator.size() == 1) measure_bits();
  const std::optional<int> only = app.count("--count") > 0 ? std::optional(o.count) : std::nullopt;
  const Samples samples = model ? make_samples(o, *model, class_names, communicator)
                                : Samples{read_samples(o.samples, only, class_names)};
  if (!communicator.leads()) return 0;
  if (communicator.size() > 1) measure_bits();
  EvalReport report =
      measure({source, o.classification_score, !o.neighbors.empty()}, net, samples, sets, *device, watch);
  if (model && model->mel && classifier && !samples.images.labels.empty() && !sets.test().labels.empty())
    report.sound = evaluate_sound(net, sets.test(), samples.images, *model->mel, o.generate.seed, watch);
  progress.finish();
  if (!o.neighbors.empty()) draw_sheet(o, report, samples.images, sets);
  report.bits = bits;
  if (o.json)
    print_json(to_json(report, source_path));
  else
    print_report(report);
  return 0;
}

}  // namespace

std::function<int()> add_eval(CLI::App& app) {
  const auto o = std::make_shared<EvalOptions>();
  const auto series = std::make_shared<EvalSeriesArguments>();
  add_model_option(app, o->model);
  app.add_option("--samples", o->samples,
                 "Images that are made already, instead of a MODEL:\na folder of images, or .npy with uint8 "
                 "[N, H, W, C]")
      ->type_name("A");
  app.add_option("--data", o->data, "Real images: a data set, a folder of images, or .npy")->type_name("B");
  app.add_option(
         "--features", o->features,
         "Network to compare images in: directory of diffusion train-features (one for\nfashion-mnist "
         "comes with the program), or weights of Inception-v3 for FID\n(.safetensors; "
         "docs/evaluation.md)")
      ->type_name("PATH");
  app.add_option("--split", o->split, "Which real images: test or train")
      ->type_name("SPLIT")
      ->capture_default_str();
  app.add_option("-n,--count", o->count,
                 "Images to make; of --samples, that many at random (default: all); of --captions, so\n"
                 "many for training and so many that are held out, at random (default: all)")
      ->check(in_range(6, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str();
  app.add_flag(
      "--classification-score", o->classification_score,
      "Train a classifier on the samples and test it on real images (minutes);\nneeds samples of classes: "
      "a MODEL with classes, or a folder with a sub-folder for each");
  app.add_option(
         "--neighbors", o->neighbors,
         "Picture to write, .png or .jpg: samples beside the training images that are\nnearest to them")
      ->type_name("FILE");
  app.add_option("--save-samples", o->save_samples,
                 "Write the samples of MODEL to an .npy file, for --samples")
      ->type_name("FILE");
  add_likelihood_options(app, o->likelihood);
  add_eval_series_options(app, *series);
  add_word_options(app, o->words);
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
  add_batch_option(app, o->generate.batch);
  add_machine_options(app, o->machine);
  add_processes_options(app, o->processes);
  app.footer(
      "Examples:\n"
      "  diffusion eval runs/fashion --data fashion-mnist --steps 20\n"
      "  diffusion eval --samples others.npy --data fashion-mnist --json\n"
      "  diffusion eval --samples others.npy --data cifar10 --features inception.safetensors\n"
      "  diffusion eval runs/m4 --series m4-hourly\n"
      "  diffusion eval runs/digits --data spoken-digits --features judge -n 1000\n"
      "  diffusion eval runs/words --data pictures --captions own --features judge -n 200");
  return [&app, o, series] {
    if (series->series.series.empty()) return run(app, *o);
    check_alone("--series");
    DataOptions source = o->source;
    source.allow_download = !o->offline;
    return eval_series(
        app, *series, {o->model, source, o->generate.seed, o->sampling.steps, o->machine, o->json, o->quiet});
  };
}

}  // namespace diffusion
