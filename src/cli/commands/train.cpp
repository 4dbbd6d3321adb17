#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "cli/commands/commands.h"
#include "cli/options/model_path.h"
#include "cli/options/training_run.h"
#include "diffusers/pipeline.h"
#include "train/held_out_images.h"
#include "train/presets.h"
#include "train/starting_model.h"

namespace diffusion {

namespace {

struct TrainOptions {
  RunOptions run;
  std::string from, preset, objective, schedule, loss, weight;
  TrainConfig config;  // values given on the command line, applied over the preset by `given`
  bool unconditional = false;
  double dropout = 0;
  std::int64_t held_out_every = 0;
};

void set_dropout(TrainConfig& c, double probability) {
  if (!traits_of(c.network).takes_dropout)
    throw Error(ErrorKind::usage,
                fmt::format("--dropout is not for the preset {}, whose network has none", c.preset));
  c.network = with_dropout(std::move(c.network), probability);
}

void refuse_what_the_model_decides(const CLI::App& app) {
  for (const char* option :
       {"--objective", "--schedule", "--timesteps", "--beta-start", "--beta-end", "--unconditional"})
    if (app.count(option) > 0)
      throw Error(ErrorKind::usage,
                  fmt::format("{} cannot be given with --from: the model has its own", option));
}

// The preset, with everything that the model to start from decides and that was given on the command line in
// its place.
TrainConfig resolve(const CLI::App& app, const TrainOptions& o, const std::optional<Model>& start) {
  const auto given = [&](const char* option) { return app.count(option) > 0; };
  TrainConfig c = preset_config(
      o.preset.empty() ? preset_for_data(o.run.data, parse_form(app, o.run.source).size) : o.preset);
  if (start) {
    refuse_what_the_model_decides(app);
    c = starting_from(*start, std::move(c));
  }
  apply_run_options(app, o.run, c);
  if (c.data.empty())
    throw Error(ErrorKind::usage,
                fmt::format("the preset {} needs --data, a folder of images for example", c.preset));
  if (!c.budget.minutes && !c.budget.steps && !c.budget.epochs) c.budget.minutes = 15;
  const TrainConfig& over = o.config;
  if (given("--timesteps")) c.timesteps = over.timesteps;
  if (given("--beta-start")) c.beta_start = over.beta_start;
  if (given("--beta-end")) c.beta_end = over.beta_end;
  if (given("--dropout")) set_dropout(c, o.dropout);
  if (given("--objective")) c.objective = parse_objective(o.objective);
  if (given("--schedule")) c.schedule = parse_schedule_kind(o.schedule);
  if (given("--loss")) c.loss = parse_loss_kind(o.loss);
  if (given("--weight")) c.weighting.kind = parse_weighting_kind(o.weight);
  for (const char* option : {"--schedule", "--beta-start", "--beta-end"})
    if (given(option) && (c.objective == Objective::edm || c.objective == Objective::flow))
      throw Error(ErrorKind::usage,
                  fmt::format("{} is for the objectives epsilon, v and x0; {} has no noise schedule", option,
                              to_string(c.objective)));
  c.conditional = c.conditional && !o.unconditional;
  if (given("--held-out-every")) c.held_out_every = o.held_out_every;
  return c;
}

int run(const CLI::App& app, const TrainOptions& o) {
  std::optional<Model> start;
  if (!o.from.empty()) start = read_pipeline(chosen_pipeline(o.from));
  const TrainConfig config = resolve(app, o, start);
  validate(config);  // before data are fetched
  const Preconditioner preconditioner = make_preconditioner(config);
  if (const NoiseSchedule* schedule = preconditioner.schedule())
    if (const auto warning = terminal_snr_warning(*schedule)) stderr_log().warning(*warning);

  DataLoader loader(app, o.run.source, o.run.quiet, config.form);
  Dataset dataset = loader.load(config.data).dataset;
  HeldOutImages held_out =
      load_held_out(config, dataset, [&] { return loader.load(config.data, Split::test).dataset; });
  const std::string summary = fmt::format("{}; preset {}", summary_of(dataset), config.preset);
  TrainingRun training(config, std::move(dataset), o.run.out, talk, std::move(held_out.images),
                       std::move(start));
  if (!o.run.quiet && !held_out.why_not.empty()) talk(held_out.why_not);
  if (!o.run.quiet) describe_run(training, summary, config);
  return train_to_end(training, o.run);
}

}  // namespace

std::function<int()> add_train(CLI::App& app) {
  const auto o = std::make_shared<TrainOptions>();
  std::string preset_names;
  for (const Preset& p : presets()) preset_names += fmt::format("\n  {}: {}", p.name, p.summary);

  add_place_options(app, o->run, "that of the preset");
  app.add_option(
      "--preset", o->preset,
      "Defaults for everything below (default: as --data; of a path: folder-64 for images of more than\n48 "
      "pixels, else fashion-mnist):" +
          preset_names);

  app.add_option("--from", o->from,
                 "Start from the weights of this trained model: a pipeline directory, a run, or the name of "
                 "a model that\n"
                 "comes with the program. Its network, objective and classes stay, and the images must fit")
      ->type_name("MODEL");

  add_budget_options(app, o->run, "15, or the preset's epochs");
  add_optimization_options(app, o->run);
  app.add_option("--dropout", o->dropout, "Dropout inside the residual blocks")->group("Optimization");

  app.add_option("--objective", o->objective, "What the network predicts: epsilon, v, x0, edm or flow")
      ->group("Diffusion");
  app.add_option("--schedule", o->schedule, "linear, scaled_linear, cosine, quadratic or sigmoid")
      ->group("Diffusion");
  app.add_option("--timesteps", o->config.timesteps,
                 "Length of the schedule; of a flow, its time 1 for the network")
      ->group("Diffusion");
  app.add_option("--beta-start", o->config.beta_start, "First beta of the schedule")->group("Diffusion");
  app.add_option("--beta-end", o->config.beta_end, "Last beta of the schedule")->group("Diffusion");
  app.add_option("--loss", o->loss, "mse, huber or l1")->group("Diffusion");
  app.add_option("--weight", o->weight, "Weight of the noise levels: uniform, p2 or min_snr")
      ->group("Diffusion");

  add_batch_options(app, o->run);
  app.add_flag("--unconditional", o->unconditional, "Ignore the labels")->group("Data");
  add_run_machine_options(app, o->run);
  add_run_output_options(app, o->run);
  app.add_option("--held-out-every", o->held_out_every,
                 "Steps between measurements of the loss on test images; 0: never\n"
                 "(default: as takes 1% of the time)")
      ->group("Output");
  return [&app, o] { return run(app, *o); };
}

}  // namespace diffusion
