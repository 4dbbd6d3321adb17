#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <diffusion/error.h>
#include "base/log.h"
#include "cli/commands/commands.h"
#include "cli/commands/train_series.h"
#include "cli/options/model_path.h"
#include "cli/options/training_run.h"
#include "diffusers/pipeline.h"
#include "diffusers/text_encoder_files.h"
#include "files/folders.h"
#include "train/config_checks.h"
#include "train/held_out_images.h"
#include "train/presets.h"
#include "train/starting_model.h"

namespace diffusion {

namespace {

struct TrainArguments {
  RunOptions run;
  TrainSeriesArguments series;
  std::string from, text_encoder, preset, audio;
  double dropout = 0;
};

void refuse_what_the_model_decides(const FieldOptions& options) {
  for (const auto& [field, option] : options.given())
    if (field->use == FieldUse::new_model)
      throw Error(ErrorKind::usage,
                  fmt::format("{} cannot be given with --from: the model has its own", option));
}

// A pipeline directory or a run; or a directory with a text encoder and no network.
TextEncoder given_text_encoder(const std::string& where) {
  const std::filesystem::path path(where);
  const bool network = path_exists(path / "unet") || path_exists(path / "checkpoints");
  const bool alone = !network && (path_exists(path / "config.json") || path_exists(path / "text_encoder"));
  return read_text_encoder(alone ? path : chosen_pipeline(where));
}

TrainConfig with_given(const TextEncoder& encoder, const TrainArguments& o, TrainConfig c) {
  if (traits_of(c.network).text_length() == 0)
    throw Error(ErrorKind::usage,
                fmt::format("--text-encoder is for networks that are told words, such as that of the preset "
                            "words-64; the preset is {}",
                            c.preset));
  if (o.run.fields.given("vocabulary"))
    throw Error(ErrorKind::usage, "--vocabulary cannot be given with --text-encoder: it comes with its own");
  return with_text_encoder(encoder, std::move(c));
}

// The preset, with everything that the model to start from decides and that was given on the command line in
// its place.
TrainConfig resolve(const CLI::App& app, const TrainArguments& o, const std::optional<Model>& start,
                    const std::optional<TextEncoder>& text_encoder) {
  const auto given = [&](const char* option) { return app.count(option) > 0; };
  const auto suited = [&] {
    return o.audio.empty() ? preset_for_data(o.run.data, parse_form(app, o.run.source).size)
                           : std::string_view("sound-64");
  };
  TrainConfig c = preset_config(o.preset.empty() ? suited() : o.preset);
  if (start) {
    refuse_what_the_model_decides(o.run.fields);
    c = starting_from(*start, std::move(c));
  }
  if (text_encoder) c = with_given(*text_encoder, o, std::move(c));
  apply_run_options(app, o.run, c);
  if (!o.audio.empty()) c.data = o.audio;
  if (c.data.empty() && c.preset == "sound-64")
    throw Error(ErrorKind::usage, "the preset sound-64 needs --audio, a folder of .wav files for example");
  if (c.data.empty() && c.preset == "series")
    throw Error(ErrorKind::usage, "the preset series needs --series, a CSV file for example");
  if (c.data.empty())
    throw Error(ErrorKind::usage,
                fmt::format("the preset {} needs --data, a folder of images for example", c.preset));
  if (given("--dropout")) set_dropout(c, o.dropout);
  for (const char* option : {"--schedule", "--beta-start", "--beta-end"})
    if (given(option) && (c.objective == Objective::edm || c.objective == Objective::flow))
      throw Error(ErrorKind::usage,
                  fmt::format("{} is for the objectives epsilon, v and x0; {} has no noise schedule", option,
                              to_string(c.objective)));
  return c;
}

// What the pictures are of decides what the model makes; one that is trained already has decided.
void take_mel(const std::optional<MelForm>& mel, const std::optional<Model>& start, const std::string& data,
              TrainConfig& c) {
  if (start && start->mel != mel)
    throw Error(
        ErrorKind::usage,
        fmt::format("the model of --from {}, and {} {}", start->mel ? "makes sound" : "makes pictures", data,
                    mel ? start->mel ? "is sound of another form" : "is sound" : "is none"));
  c.mel = mel;
}

int run(const CLI::App& app, TrainArguments& o) {
  if (!o.series.series.series.empty()) return train_series(app, o.run, o.series, o.preset);
  for (const char* option : {"--horizon", "--season", "--context", "--task"})
    if (app.count(option) > 0) throw Error(ErrorKind::usage, fmt::format("{} is for --series", option));
  std::optional<Model> start;
  if (!o.from.empty()) start = read_pipeline(chosen_pipeline(o.from));
  std::optional<TextEncoder> text_encoder;
  if (!o.text_encoder.empty()) text_encoder = given_text_encoder(o.text_encoder);
  TrainConfig config = resolve(app, o, start, text_encoder);
  validate(config);  // before data are fetched
  RunOptions& run = o.run;
  const Communicator communicator = join(run.processes, run.quiet, run.json);
  const auto warning = make_preconditioner(config).text().warning;
  if (warning && communicator.leads()) stderr_log().warning(*warning);

  const CaptionOptions captions = captions_for(app, run, config);
  DataLoader loader(app, run.source, run.quiet, config.form);
  loader.take(captions);
  loader.take_sound_only(!o.audio.empty());
  if (start && start->mel) loader.take(*start->mel);
  LoadedData loaded = load_after_leader(communicator, [&] { return loader.load(config.data); });
  take_mel(loaded.mel, start, config.data, config);
  Dataset dataset = std::move(loaded.dataset);
  HeldOutImages held_out =
      load_held_out(config, dataset, [&] { return loader.load(config.data, Split::test).dataset; });
  const std::string summary = fmt::format("{}; preset {}", summary_of(dataset), config.preset);
  TrainingRun training(config, std::move(dataset), run.out, talk_of(communicator), std::move(held_out.images),
                       std::move(start), std::move(text_encoder), communicator);
  if (!run.quiet && !held_out.why_not.empty()) talk(held_out.why_not);
  if (!run.quiet) describe_run(training, summary, config);
  return train_to_end(training, run, communicator);
}

}  // namespace

std::function<int()> add_train(CLI::App& app) {
  const auto o = std::make_shared<TrainArguments>();
  std::string preset_names;
  for (const Preset& p : presets()) preset_names += fmt::format("\n  {}: {}", p.name, p.summary);

  add_run_options(app, o->run, RunKind::training, "that of the preset", "15, or the preset's epochs");
  app.add_option(
      "--preset", o->preset,
      "Defaults for everything below (default: as --data; of a path: folder-64 for images of more than\n48 "
      "pixels, else fashion-mnist):" +
          preset_names);

  app.add_option(
         "--from", o->from,
         "Start from the weights of this trained model: a pipeline directory, a run, or the name of "
         "a model that\n"
         "comes with the program. Its network, objective and classes stay, and its image size unless --size "
         "says otherwise")
      ->type_name("MODEL");

  add_train_series_options(app, o->series);
  app.add_option(
         "--audio", o->audio,
         "Sound: spoken-digits, or a folder of .wav files, with a sub-folder for each class or none.\n"
         "As --data, whatever else the folder holds, with the preset sound-64")
      ->type_name("SOUND")
      ->group("Sound")
      ->excludes("--data")
      ->excludes("--series");

  app.add_option(
         "--text-encoder", o->text_encoder,
         "Words are told by this text encoder, which stays as it is: a pipeline directory, a run, or a\n"
         "directory that transformers' CLIPTextModel and CLIPTokenizer were saved in. What it makes of\n"
         "the captions is computed once")
      ->type_name("MODEL")
      ->excludes("--from");
  app.add_option("--dropout", o->dropout, "Dropout inside the residual blocks")->group("Optimization");
  return [&app, o] { return run(app, *o); };
}

}  // namespace diffusion
