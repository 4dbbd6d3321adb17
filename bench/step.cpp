// Times whole training steps: forward, smooth L1 loss, backward, AdamW with EMA. bench/compare.py runs it against
// PyTorch.

#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "device/cpu/cpu_device.h"
#include "diffusion/loss.h"
#include "io/fs.h"
#include "io/safetensors.h"
#include "nn/network.h"
#include "plan/plan.h"
#include "train/optimizer.h"

namespace diffusion {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Options {
  std::string config, weights, input, precision = "auto";
  int batch = 64, steps = 10, threads = 0;
  bool json = false, profile = false, inference = false;
};

struct Batch {
  std::vector<float> sample, timestep, labels, target;
};

std::vector<float> read(const SafetensorsFile& file, const std::string& name) {
  const TensorView* view = file.find(name);
  if (!view) throw Error(ErrorKind::bad_input, fmt::format("the input file has no tensor {}", name));
  std::vector<float> values(std::size_t(view->elements()));
  read_f32(*view, values);
  return values;
}

Batch make_batch(const Options& options, const Network& net) {
  if (!options.input.empty()) {
    const SafetensorsFile file = SafetensorsFile::open(options.input);
    return {read(file, "sample"), read(file, "timestep"),
            net.class_labels ? read(file, "class_labels") : std::vector<float>(), read(file, "target")};
  }
  Batch b;
  b.sample.resize(std::size_t(net.graph.shape(net.sample).elements()));
  b.target.resize(std::size_t(net.graph.shape(net.output).elements()));
  fill_normal({1, Stream::train_noise, 0, 0}, b.sample);
  fill_normal({1, Stream::train_noise, 1, 0}, b.target);
  for (int i = 0; i < options.batch; ++i) {
    b.timestep.push_back(float(i * 37 % 1000));
    b.labels.push_back(float(i % 10));
  }
  return b;
}

void load_weights(const std::string& path, ParamStore& params) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (const ParamLayout::Entry& entry : params.layout().entries()) {
    const TensorView* view = file.find(entry.name);
    if (!view) throw Error(ErrorKind::bad_input, fmt::format("{}: no tensor {}", path, entry.name));
    read_f32(*view, params.values(entry));
  }
  params.mark_changed();
}

double peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) / 1024;
}

void print_profile(const std::map<std::string, double>& seconds, double steps, double total) {
  std::vector<std::pair<double, std::string>> rows;
  for (const auto& [name, s] : seconds) rows.emplace_back(s, name);
  std::ranges::sort(rows, std::greater<>());
  for (const auto& [s, name] : rows)
    fmt::print("{:9.2f} ms {:5.1f}%  {}\n", 1e3 * s / steps, 100 * s / total, name);
}

void run(const Options& options) {
  const auto start = Clock::now();
  set_threads(options.threads);
  const NetworkConfig config = parse_network_config(
      parse_json(read_text_file(options.config, 1 << 20), options.config), options.config);
  const Precision precision = options.precision == "bf16"  ? Precision::bf16
                              : options.precision == "f32" ? Precision::f32
                                                           : fastest_precision();
  const auto device = make_cpu_device(precision);
  const auto [height, width] = traits_of(config).sample_size;
  const Network net = make_network(config, options.batch, height, width);
  ParamStore params{ParamLayout(net.graph)};
  if (options.weights.empty())
    params.initialize(1);
  else
    load_weights(options.weights, params);
  Plan plan(net.graph, net.output, *device, options.inference ? Mode::inference : Mode::training, params);
  AdamW optimizer(params, {});
  const Batch batch = make_batch(options, net);
  plan.write_input(net.sample, batch.sample);
  plan.write_input(net.timestep, batch.timestep);
  if (net.class_labels) plan.write_input(*net.class_labels, batch.labels);

  std::vector<float> output(batch.target.size()), grad(output.size());
  const std::vector<double> weight(std::size_t(options.batch), 1.0);
  double outside = 0;
  const auto step = [&](int number) {
    plan.forward();
    const auto after = Clock::now();
    plan.read_output(output);
    const double loss = loss_and_grad(LossKind::huber, output, batch.target, weight, grad);
    outside += seconds_since(after);
    if (options.inference) return loss;
    std::ranges::fill(params.grads(), 0.f);
    plan.backward(grad);
    const auto update = Clock::now();
    optimizer.update(params, number, 1e-4, 1, 0.999);
    outside += seconds_since(update);
    return loss;
  };
  const double loss = step(1);
  const double first = seconds_since(start);
  step(2);

  std::map<std::string, double> by_kind, by_step;
  if (options.profile)
    plan.set_observer([&](const StepTiming& t) {
      by_kind[fmt::format("{} {}", t.kind, t.backward ? "backward" : "forward")] += t.seconds;
      by_step[fmt::format("{:40} {} {}", t.name, t.backward ? "backward" : "forward ", t.implementation)] +=
          t.seconds;
    });
  outside = 0;
  std::vector<double> seconds;
  for (int i = 0; i < options.steps; ++i) {
    const auto begin = Clock::now();
    step(3 + i);
    seconds.push_back(seconds_since(begin));
  }
  std::ranges::sort(seconds);
  const double median = seconds[seconds.size() / 2];
  if (options.profile) {
    double total = 0;
    for (double s : seconds) total += s;
    by_kind["loss and optimizer"] = outside;
    print_profile(by_step, options.steps, total);
    fmt::print("\n");
    print_profile(by_kind, options.steps, total);
  }
  if (options.json) {
    const Json::Object result{{"seconds_per_step", median},
                              {"first_step_seconds", first},
                              {"peak_rss_mib", peak_rss_mib()},
                              {"loss", loss},
                              {"precision", std::string(to_string(precision))}};
    fmt::print("{}\n", dump_json(result));
  } else {
    fmt::print(
        "{} {}: {:.4f} s/step (min {:.4f}), {:.1f} images/s, first step after {:.2f} s, arena {:.0f} MiB, "
        "peak {:.0f} MiB, loss {:.6f}, {} parameters, {}\n",
        to_string(precision), options.inference ? "inference" : "training", median, seconds[0],
        options.batch / median, first, double(plan.arena_bytes()) / (1 << 20), peak_rss_mib(), loss,
        params.layout().parameter_count(), cpu_description());
  }
}

}  // namespace
}  // namespace diffusion

int main(int argc, char** argv) {
  diffusion::Options options;
  CLI::App app("Times training steps of a U-Net");
  app.add_option("--config", options.config, "config.json of a UNet2DModel")->required();
  app.add_option("--batch", options.batch, "Images per step");
  app.add_option("--precision", options.precision, "auto, f32 or bf16");
  app.add_option("--steps", options.steps, "Timed steps; the median is reported");
  app.add_option("--threads", options.threads, "Threads; 0: all cores");
  app.add_option("--weights", options.weights, "Weights as safetensors; default: random");
  app.add_option("--input", options.input,
                 "sample, timestep, target, class_labels as safetensors; default: random");
  app.add_flag("--inference", options.inference, "Forward only, with an inference plan");
  app.add_flag("--profile", options.profile, "Print time by layer and by kind of operation");
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
