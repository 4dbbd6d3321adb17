// Times evaluations of a network and whole sampling runs with the model's own scheduler. bench/compare.py
// runs it against PyTorch.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <string>

#include <diffusion/device.h>
#include <diffusion/generate.h>
#include "diffusers/pipeline.h"
#include "diffusion/default_recipe.h"
#include "diffusion/model.h"
#include "formats/npy.h"
#include "profile/network_step.h"
#include "timing.h"

namespace diffusion {
namespace {

struct Options {
  std::string model, noise;
  int batch = 64, steps = 20, runs = 3, evaluations = 10;
  BenchMachine machine;
};

void run(const Options& options) {
  const Precision precision = prepare(options.machine);
  const auto device = make_cpu_device(precision);
  Model model = read_pipeline(options.model);

  GenerateOptions generate_options;
  generate_options.count = generate_options.batch = options.batch;
  generate_options.recipe = scheduler_recipe(model);
  generate_options.recipe->steps = options.steps;
  if (!options.noise.empty()) generate_options.noise = read_npy_float32(options.noise).data;
  double mean_square = 0;
  const auto sample = [&] {
    generate(model, *device, generate_options, [&](const GenerateStep& s) {
      if (s.step + 1 < s.steps) return;
      double sum = 0;
      for (double x : s.x) sum += x * x;
      mean_square = sum / double(s.x.size());
    });
  };
  sample();
  const double seconds_per_run = median(sorted_seconds(options.runs, sample));

  NetworkStep step(model.network, model.traits().sample_size, options.batch, Mode::inference, *device,
                   std::move(model.params));
  step.run();
  const double seconds_per_evaluation = median(sorted_seconds(options.evaluations, [&] { step.run(); }));

  if (options.machine.json)
    fmt::print("{}\n", dump_json(Json::Object{{"seconds_per_evaluation", seconds_per_evaluation},
                                              {"seconds_per_run", seconds_per_run},
                                              {"root_mean_square", std::sqrt(mean_square)},
                                              {"peak_rss_mib", peak_rss_mib()},
                                              {"precision", std::string(to_string(precision))}}));
  else
    fmt::print(
        "{}: batch {}: {:.2f} ms an evaluation, {:.3f} s for {} steps ({:.2f} images/s), peak {:.0f} MiB, "
        "{}\n",
        to_string(precision), options.batch, 1e3 * seconds_per_evaluation, seconds_per_run, options.steps,
        options.batch / seconds_per_run, peak_rss_mib(), cpu_description());
}

}  // namespace
}  // namespace diffusion

int main(int argc, char** argv) {
  diffusion::Options options;
  CLI::App app("Times evaluations and sampling runs of a model");
  app.add_option("MODEL", options.model, "A pipeline directory")->required();
  app.add_option("--batch", options.batch, "Images at a time");
  app.add_option("--steps", options.steps, "Steps of the sampler");
  app.add_option("--runs", options.runs, "Timed sampling runs; the median is reported");
  app.add_option("--evaluations", options.evaluations, "Timed evaluations; the median is reported");
  app.add_option("--noise", options.noise, "f32 [batch, C, H, W] to start from as .npy; default: random");
  diffusion::add_bench_machine_options(app, options.machine);
  return diffusion::bench_main(app, argc, argv, [&] { diffusion::run(options); });
}
