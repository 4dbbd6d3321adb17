#include "cli/commands/eval_words.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "base/log.h"
#include "cli/commands/part_progress.h"
#include "cli/options/model_path.h"
#include "cli/output/caption_eval_report.h"
#include "diffusers/pipeline.h"
#include "eval/caption_protocol.h"
#include "eval/image_sets.h"

namespace diffusion {

namespace {

void check(const CLI::App& app) {
  for (const char* option :
       {"--split", "--label", "--classification-score", "--neighbors", "--bits-per-dimension"})
    if (app.count(option) > 0)
      throw Error(ErrorKind::usage, fmt::format("{} is not for an evaluation of words (--captions)", option));
}

Model read_model_of_words(const std::string& path) {
  Model model = read_pipeline(chosen_pipeline(path));
  if (!model.tokenizer)
    throw Error(
        ErrorKind::usage,
        fmt::format("{} knows no words; --captions is for models that were trained with captions", path));
  return model;
}

// Of the pictures of a model, or of those that are made already.
struct Form {
  int height, width, channels;
};

Form form_of(const Model& model, const std::string& path) {
  const NetworkTraits traits = model.traits();
  check_sample_size(model, path);
  return {traits.sample_size[0], traits.sample_size[1], traits.in_channels};
}

DataOptions data_options(const CLI::App& app, const EvalOptions& o, const Form& form) {
  DataOptions options = o.source;
  options.allow_download = !o.offline;
  options.held_out_list = o.words.held_out_list;
  options.captions = parse_captions(app, o.words.captions);
  options.prepare.form.size = {form.height, form.width};
  options.prepare.form.channels = form.channels;
  options.prepare.talk = [](const std::string& message) { stderr_log().warning(message); };
  return options;
}

void check_channels(const Form& pictures, const ClassifierConfig& judge) {
  if (pictures.channels != judge.channels)
    throw Error(ErrorKind::usage,
                fmt::format("the pictures have {} channels and those of the feature network {}",
                            pictures.channels, judge.channels),
                {"features"});
}

}  // namespace

void add_word_options(CLI::App& app, WordsRequest& words) {
  add_caption_options(app, words.captions);
  app.add_option("--held-out-list", words.held_out_list,
                 "A text file that names the images that the model was not trained on, one in each\n"
                 "line: their captions get scores of their own")
      ->type_name("FILE")
      ->group("Captions");
  app.add_option("--per-caption", words.per_caption, "Pictures to draw of each caption")
      ->check(in_range(1, 10'000))
      ->type_name("N")
      ->capture_default_str()
      ->group("Captions");
}

int eval_words(const CLI::App& app, const EvalOptions& o) {
  check(app);
  const std::string source = o.model.empty() ? o.samples : o.model;
  const Json source_path = o.json ? path_to_json(source) : Json(nullptr);
  EvalNetwork net = read_eval_network(o.features, o.data);
  const ClassifierConfig& judge = judge_of(net);
  std::optional<Model> model;
  std::optional<Dataset> made;
  if (o.model.empty())
    made = read_image_array(o.samples);
  else
    model = read_model_of_words(o.model);
  const Form form = model ? form_of(*model, o.model) : Form{made->height, made->width, made->channels};
  check_channels(form, judge);
  const CaptionSets sets = read_caption_sets(o.data, data_options(app, o, form), judge.class_names);
  const AskedCaptions asked = choose_captions(
      sets, app.count("--count") > 0 ? std::optional(o.count) : std::nullopt, o.generate.seed);
  Samples samples;
  if (model) {
    std::vector<std::string> prompts;
    for (const std::uint16_t caption : asked_of_pictures(asked, o.words.per_caption))
      prompts.push_back(judge.class_names[caption]);
    samples = draw_prompts(o, *model, std::move(prompts));
  } else {
    samples.images = std::move(*made);
  }
  PartProgress progress(o.quiet);
  CaptionEvaluation report =
      measure_captions(net, samples.images, asked, o.words.per_caption, sets, o.generate.seed,
                       [&](const EvaluationProgress& now) { progress.show(now); });
  progress.finish();
  report.samples = source;
  report.steps = samples.steps;
  report.sampler = samples.sampler;
  if (o.json)
    print_json(to_json(report, source_path));
  else
    print_report(report);
  return 0;
}

}  // namespace diffusion
