// Times whole training steps: forward, smooth L1 loss, backward, AdamW with EMA; or, with --inference,
// evaluations of the network. bench/compare.py runs it against PyTorch; `diffusion bench` shows where the
// time goes.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "diffusion/model.h"
#include "files/fs.h"
#include "formats/safetensors.h"
#include "profile/network_step.h"
#include "timing.h"

namespace diffusion {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// From the start of the process, if who started us says when: seconds since 1970 in BENCH_STARTED.
double seconds_of_life(Clock::time_point start) {
  const char* text = std::getenv("BENCH_STARTED");
  if (!text) return seconds_since(start);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count() - std::strtod(text, nullptr);
}

struct Options {
  std::string config, weights, input;
  int batch = 64, steps = 10;
  bool inference = false;
  BenchMachine machine;
};

std::vector<float> read(const SafetensorsFile& file, const std::string& name) {
  const TensorView* view = file.find(name);
  if (!view) throw Error(ErrorKind::bad_input, fmt::format("the input file has no tensor {}", name));
  std::vector<float> values(std::size_t(view->elements()));
  read_f32(*view, values);
  return values;
}

StepData read_data(const std::string& path, const Network& net) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  StepData data{read(file, "sample"), read(file, "timestep"), read(file, "target"), {}};
  if (net.condition(kClassCondition)) data.conditions.emplace(kClassCondition, read(file, "class_labels"));
  if (net.condition(kTokensCondition)) data.conditions.emplace(kTokensCondition, read(file, "tokens"));
  return data;
}

ParamStore read_params(const Options& options, const NetworkConfig& config) {
  ParamStore params(layout_of(config));
  if (options.weights.empty()) {
    params.initialize(1);
    return params;
  }
  const SafetensorsFile file = SafetensorsFile::open(options.weights);
  for (const ParamLayout::Entry& entry : params.layout().entries()) {
    const TensorView* view = file.find(entry.name);
    if (!view)
      throw Error(ErrorKind::bad_input, fmt::format("{}: no tensor {}", options.weights, entry.name));
    read_f32(*view, params.values(entry));
  }
  params.mark_changed();
  return params;
}

void run(const Options& options) {
  const auto start = Clock::now();
  const Precision precision = prepare(options.machine);
  const NetworkConfig config = parse_network_config(
      parse_json(read_text_file(options.config, 1 << 20), options.config), options.config);
  const auto device = make_cpu_device(precision);
  NetworkStep step(config, traits_of(config).sample_size, options.batch,
                   options.inference ? Mode::inference : Mode::training, *device,
                   read_params(options, config));
  if (!options.input.empty()) step.set_data(read_data(options.input, step.net()));

  const double loss = step.run();
  const double first = seconds_of_life(start);
  step.run();
  const std::vector<double> seconds = sorted_seconds(options.steps, [&] { step.run(); });
  if (options.machine.json)
    fmt::print("{}\n", dump_json(Json::Object{{"seconds_per_step", median(seconds)},
                                              {"first_step_seconds", first},
                                              {"peak_rss_mib", peak_rss_mib()},
                                              {"loss", loss},
                                              {"precision", std::string(to_string(precision))}}));
  else
    fmt::print(
        "{} {}: {:.4f} s/step (min {:.4f}), {:.1f} images/s, first step after {:.2f} s, arena {:.0f} MiB, "
        "peak {:.0f} MiB, loss {:.6f}, {} parameters, {}\n",
        to_string(precision), options.inference ? "inference" : "training", median(seconds), seconds[0],
        options.batch / median(seconds), first, double(step.arena_bytes()) / (1 << 20), peak_rss_mib(), loss,
        step.params().layout().parameter_count(), cpu_description());
}

}  // namespace
}  // namespace diffusion

int main(int argc, char** argv) {
  diffusion::Options options;
  CLI::App app("Times training steps of a U-Net");
  app.add_option("--config", options.config, "config.json of a network")->required();
  app.add_option("--batch", options.batch, "Images per step");
  app.add_option("--steps", options.steps, "Timed steps; the median is reported");
  app.add_option("--weights", options.weights, "Weights as safetensors; default: random");
  app.add_option("--input", options.input,
                 "sample, timestep, target, class_labels as safetensors; default: random");
  app.add_flag("--inference", options.inference, "Forward only, with an inference plan");
  diffusion::add_bench_machine_options(app, options.machine);
  return diffusion::bench_main(app, argc, argv, [&] { diffusion::run(options); });
}
