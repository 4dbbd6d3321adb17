#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands/commands.h"
#include "cli/options/model_path.h"
#include "cli/options/training_run.h"
#include "diffusers/pipeline.h"
#include "train/config_checks.h"
#include "train/starting_model.h"

namespace diffusion {

namespace {

struct DistillOptions {
  RunOptions run;
  std::string model;
  int stages = 0;
};

int run(const CLI::App& app, DistillOptions& o) {
  Model teacher = read_pipeline(chosen_pipeline(o.model));
  TrainConfig config = tuning_config(teacher);
  apply_run_options(app, o.run, config);
  if (app.count("--stages") > 0) config.consistency->stages = o.stages;
  validate(config);  // before data are fetched

  RunOptions& run = o.run;
  const Communicator communicator = join(run.processes, run.quiet, run.json);
  const CaptionOptions captions = captions_for(app, run, config);
  DataLoader loader(app, run.source, run.quiet);
  loader.take(captions);
  Dataset dataset = load_after_leader(communicator, [&] { return loader.load(config.data).dataset; });
  const std::string summary = summary_of(dataset);
  TrainingRun training(config, std::move(dataset), run.out, talk_of(communicator), {}, std::move(teacher), {},
                       communicator);
  if (!run.quiet) describe_run(training, summary, config);
  return train_to_end(training, run, communicator);
}

}  // namespace

std::function<int()> add_distill(CLI::App& app) {
  const auto o = std::make_shared<DistillOptions>();
  add_model_option(app, o->model)->required();
  add_run_options(app, o->run, RunKind::tuning, "fashion-mnist", "15");
  app.add_option("--stages", o->stages,
                 fmt::format("Halvings of the distance between the two noise levels (default: {})",
                             ConsistencyTuning{}.stages))
      ->group("Optimization");
  app.footer(
      "Example:\n"
      "  diffusion distill runs/fashion --data fashion-mnist --out runs/fashion-quick --minutes 15\n"
      "  diffusion sample runs/fashion-quick -n 100 --steps 2 -o grid.png");
  return [&app, o] { return run(app, *o); };
}

}  // namespace diffusion
