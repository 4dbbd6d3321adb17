#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include <diffusion/error.h>
#include "base/log.h"
#include "cli/commands/commands.h"
#include "cli/options/model_path.h"
#include "cli/options/options.h"
#include "device/cpu/cpu_device.h"
#include "diffusers/pipeline.h"
#include "diffusion/model.h"
#include "files/folders.h"
#include "files/fs.h"
#include "graph/flops.h"
#include "profile/convolution_limit.h"
#include "profile/machine_peak.h"
#include "profile/network_step.h"
#include "train/presets.h"

namespace diffusion {

namespace {

constexpr std::uint64_t kMaxConfigBytes = 4 << 20;
constexpr int kPresetClassRows = 11;  // ten classes and none

struct BenchOptions {
  std::string what;
  int batch = 64, steps = 10;
  bool inference = false, profile = false, json = false, gradient_checkpointing = false;
  MachineOptions machine;
};

struct Subject {
  NetworkConfig network;
  ParamStore params;
};

Subject fresh(NetworkConfig network) {
  ParamStore params(layout_of(network));
  params.initialize(0);
  return {std::move(network), std::move(params)};
}

std::string preset_names() {
  std::string names;
  for (const Preset& preset : presets()) names += fmt::format("{}{}", names.empty() ? "" : ", ", preset.name);
  return names;
}

// A preset's name, a network's config.json, or a model.
Subject find_subject(const std::string& what, bool inference) {
  const auto preset = std::ranges::find(presets(), what, &Preset::name);
  if (preset != presets().end()) {
    const TrainConfig config = preset_config(what);
    return fresh(fitted_to(config.network, preset->image_size, preset->image_channels,
                           config.conditional ? kPresetClassRows : 0));
  }
  if (what.ends_with(".json"))
    return fresh(parse_network_config(parse_json(read_text_file(what, kMaxConfigBytes), what), what));
  if (!path_exists(what))
    throw Error(ErrorKind::usage,
                fmt::format("there is no model, network configuration or preset \"{}\"; presets are: {}",
                            what, preset_names()));
  Model model = read_pipeline(chosen_pipeline(what), inference ? WeightPlace::as_fits : WeightPlace::memory);
  return {std::move(model.network), std::move(model.params)};
}

struct Result {
  double first_step_seconds, flops, conv_limit;  // flops of a step; limit in seconds
  std::size_t arena_bytes;
  std::size_t arena_bytes_otherwise;  // of training: with gradient checkpointing if this is without, or not
  std::size_t own_weight_bytes;       // of weights that do not stay in files
  MachinePeak peak;
  StepProfile profile;
};

double peak_of(const MachinePeak& peak, const MachineOptions& machine) {
  const bool bf16 = machine.precision == "bf16" || (machine.precision == "auto" && peak.bf16_flops > 0);
  return bf16 ? peak.bf16_flops : peak.f32_flops;
}

// One row of a table of times.
std::string row(const LayerTime& layer, double step_seconds, double peak) {
  const auto rate = [&](double amount, double scale, int digits) {
    return amount > 0 ? fmt::format("{:.{}f}", amount / layer.seconds * scale, digits) : std::string();
  };
  return fmt::format(
      "{:>9.3f} {:>6.1f} {:>8} {:>6} {:>6}  {:<10} {}", 1e3 * layer.seconds,
      100 * layer.seconds / step_seconds, rate(layer.flops, 1e-9, 1),
      layer.flops > 0 ? fmt::format("{:.0f}", 100 * layer.flops / layer.seconds / peak) : "",
      rate(layer.bytes, 1e-9, 1), layer.backward ? "backward" : "forward",
      layer.implementation.empty() ? layer.name : fmt::format("{} ({})", layer.name, layer.implementation));
}

void print_text(const BenchOptions& o, const Result& r) {
  const double median = r.profile.median_seconds(), mean = r.profile.mean_seconds();
  const double peak = peak_of(r.peak, o.machine);
  print_line(fmt::format("{} of {} images, {} threads ({})", o.inference ? "evaluations" : "training steps",
                         o.batch, thread_count(), cpu_description()));
  print_line(fmt::format(
      "step         {:.2f} ms median of {} ({:.2f} to {:.2f}), {:.1f} images/s; the first after {:.2f} s",
      1e3 * median, o.steps, 1e3 * r.profile.step_seconds.front(), 1e3 * r.profile.step_seconds.back(),
      o.batch / median, r.first_step_seconds));
  print_line(fmt::format("arithmetic   {:.1f} GFLOP a step, {:.0f} GFLOP/s", r.flops * 1e-9,
                         r.flops / median * 1e-9));
  print_line(fmt::format("machine      {:.0f} GFLOP/s f32, {} bf16; copies {:.1f} GB/s",
                         r.peak.f32_flops * 1e-9,
                         r.peak.bf16_flops > 0 ? fmt::format("{:.0f}", r.peak.bf16_flops * 1e-9) : "no",
                         r.peak.copy_bytes * 1e-9));
  if (r.conv_limit > 0)
    print_line(fmt::format("convolutions {:.2f} ms if each ran alone: {:.0f}% of the step",
                           1e3 * r.conv_limit, 100 * r.conv_limit / median));
  const auto mib = [](std::size_t bytes) { return fmt::format("{:.0f} MiB", double(bytes) / (1 << 20)); };
  std::string memory = fmt::format("memory       {} of activations and scratch", mib(r.arena_bytes));
  if (o.inference)
    memory += fmt::format(", {} of weights besides files", mib(r.own_weight_bytes));
  else
    memory += fmt::format("; {} {} gradient checkpointing", mib(r.arena_bytes_otherwise),
                          o.gradient_checkpointing ? "without" : "with");
  print_line(memory);
  const char* const head = "       ms      %  GFLOP/s  %peak   GB/s  ";
  print_line("");
  print_line(fmt::format("{}{}", head, "kind"));
  for (const LayerTime& layer : by_kind(r.profile)) print_line(row(layer, mean, peak));
  if (!o.profile) return;
  print_line("");
  print_line(fmt::format("{}{}", head, "layer"));
  for (const LayerTime& layer : r.profile.layers) print_line(row(layer, mean, peak));
}

Json to_json(const LayerTime& layer) {
  return Json::Object{
      {"name", layer.name},         {"kind", layer.kind},   {"implementation", layer.implementation},
      {"backward", layer.backward}, {"flops", layer.flops}, {"bytes", layer.bytes},
      {"seconds", layer.seconds}};
}

void print_result_json(const BenchOptions& o, const Result& r) {
  Json::Array kinds, layers;
  for (const LayerTime& layer : by_kind(r.profile)) kinds.push_back(to_json(layer));
  if (o.profile)
    for (const LayerTime& layer : r.profile.layers) layers.push_back(to_json(layer));
  Json::Object json{{"what", path_to_json(o.what)},
                    {"mode", o.inference ? "inference" : "training"},
                    {"batch", o.batch},
                    {"threads", thread_count()},
                    {"cpu", cpu_description()},
                    {"seconds_per_step", r.profile.median_seconds()},
                    {"seconds_fastest", r.profile.step_seconds.front()},
                    {"seconds_slowest", r.profile.step_seconds.back()},
                    {"first_step_seconds", r.first_step_seconds},
                    {"flops", r.flops},
                    {"gradient_checkpointing", o.gradient_checkpointing},
                    {"arena_bytes", r.arena_bytes},
                    {"own_weight_bytes", r.own_weight_bytes},
                    {"convolution_limit_seconds", r.conv_limit},
                    {"peak", Json::Object{{"f32_flops", r.peak.f32_flops},
                                          {"bf16_flops", r.peak.bf16_flops},
                                          {"copy_bytes", r.peak.copy_bytes}}},
                    {"kinds", std::move(kinds)}};
  if (!o.inference) json["arena_bytes_otherwise"] = r.arena_bytes_otherwise;
  if (o.profile) json["layers"] = std::move(layers);
  print_json(json);
}

// What a step needs of memory if gradient checkpointing is as said.
std::size_t training_bytes(const Subject& subject, std::array<int, 2> size, int batch, const Device& device,
                           bool gradient_checkpointing) {
  ParamStore params(subject.params.layout());
  return NetworkStep(subject.network, size, batch, Mode::training, device, std::move(params),
                     gradient_checkpointing)
      .arena_bytes();
}

// Of a step, if each convolution ran alone and as fast as it can.
double convolution_seconds(const BenchOptions& o, const NetworkConfig& network, std::array<int, 2> size,
                           const Device& device) {
  const bool bf16 = o.machine.precision == "bf16" ||
                    (o.machine.precision == "auto" && fastest_precision() == Precision::bf16);
  const auto direct = make_direct_cpu_device(bf16 ? Precision::bf16 : Precision::f32);
  const Network net = make_network(network, o.batch, size[0], size[1]);
  return convolution_limit(net.graph, device, *direct, o.inference ? Mode::inference : Mode::training);
}

int run(const BenchOptions& o) {
  const auto device = make_device(o.machine);
  Subject subject = find_subject(o.what, o.inference);
  std::array<int, 2> size = traits_of(subject.network).sample_size;
  if (size[0] == 0)
    throw Error(ErrorKind::usage,
                fmt::format("{} has no sample_size, so there is no image size to measure", o.what));
  validate_image_size(subject.network, size[0], size[1]);

  Result r{};
  r.peak = measure_machine_peak();
  r.own_weight_bytes = subject.params.own_bytes();
  const bool in_files = !subject.params.is_flat();
  const Mode mode = o.inference ? Mode::inference : Mode::training;
  if (!o.inference)
    r.arena_bytes_otherwise = training_bytes(subject, size, o.batch, *device, !o.gradient_checkpointing);
  {
    const auto start = std::chrono::steady_clock::now();
    NetworkStep step(subject.network, size, o.batch, mode, *device, std::move(subject.params),
                     o.gradient_checkpointing);
    step.run();
    r.first_step_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    step.run();
    r.profile = profile_steps(step, o.steps);
    r.arena_bytes = step.arena_bytes();
    for (const LayerTime& layer : r.profile.layers) r.flops += layer.flops;
  }
  // Others are too large for convolutions with weights of their own.
  if (!in_files) r.conv_limit = convolution_seconds(o, subject.network, size, *device);
  o.json ? print_result_json(o, r) : print_text(o, r);
  return 0;
}

}  // namespace

std::function<int()> add_bench(CLI::App& app) {
  const auto o = std::make_shared<BenchOptions>();
  app.add_option("WHAT", o->what,
                 fmt::format("A model or run, a network's config.json, or a preset with the images that it "
                             "is made for ({})",
                             preset_names()))
      ->required()
      ->type_name("");
  app.add_option("--batch", o->batch, "Images a step")
      ->check(in_range(1, 4096))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--steps", o->steps, "Timed steps, after two that warm up")
      ->check(in_range(1, 10'000))
      ->type_name("N")
      ->capture_default_str();
  app.add_flag("--inference", o->inference, "Evaluations as in sampling, not training steps");
  app.add_flag("--gradient-checkpointing", o->gradient_checkpointing,
               "Training steps that compute what is inside of the network's blocks again, to save memory")
      ->excludes("--inference");
  app.add_flag("--profile", o->profile, "A row for every layer too");
  add_machine_options(app, o->machine);
  add_json_flag(app, o->json);
  return [o] { return run(*o); };
}

}  // namespace diffusion
