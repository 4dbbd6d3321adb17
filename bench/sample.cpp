// Times evaluations of a network and whole sampling runs with the model's own scheduler. bench/compare.py runs it against
// PyTorch.

#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/cpu/cpu_device.h"
#include "diffusion/generate.h"
#include "diffusion/model.h"
#include "io/npy.h"
#include "profile/network_step.h"

namespace diffusion {
namespace {

struct Options {
  std::string model, noise, precision = "auto";
  int batch = 64, steps = 20, runs = 3, evaluations = 10, threads = 0;
  bool json = false;
};

double median_seconds(int times, const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds;
  for (int i = 0; i < times; ++i) {
    const auto begin = Clock::now();
    call();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  std::ranges::sort(seconds);
  return seconds[seconds.size() / 2];
}

double peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) / 1024;
}

void run(const Options& options) {
  set_threads(options.threads);
  const Precision precision = options.precision == "bf16"  ? Precision::bf16
                              : options.precision == "f32" ? Precision::f32
                                                           : fastest_precision();
  const auto device = make_cpu_device(precision);
  Model model = read_pipeline(options.model);

  GenerateOptions generate_options;
  generate_options.count = generate_options.batch = options.batch;
  generate_options.steps = options.steps;
  sample_as_configured(model.sampling, generate_options);
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
  const double seconds_per_run = median_seconds(options.runs, sample);

  NetworkStep step(model.network, model.traits().sample_size, options.batch, Mode::inference, *device,
                   std::move(model.params));
  step.run();
  const double seconds_per_evaluation = median_seconds(options.evaluations, [&] { step.run(); });

  if (options.json)
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
  app.add_option("--precision", options.precision, "auto, f32 or bf16");
  app.add_option("--threads", options.threads, "Threads; 0: all cores");
  app.add_flag("--json", options.json, "Print one line of JSON");
  CLI11_PARSE(app, argc, argv);
  try {
    diffusion::run(options);
  } catch (const diffusion::Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return diffusion::exit_code(e.kind());
  }
  return 0;
}
