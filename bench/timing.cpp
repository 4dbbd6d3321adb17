#include "timing.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include <diffusion/error.h>

namespace diffusion {

void add_bench_machine_options(CLI::App& app, BenchMachine& machine) {
  app.add_option("--precision", machine.precision, "auto, f32 or bf16");
  app.add_option("--threads", machine.threads, "Threads; 0: all cores");
  app.add_flag("--json", machine.json, "Print one line of JSON");
}

Precision prepare(const BenchMachine& machine) {
  set_threads(machine.threads);
  const Precision asked = parse_precision(machine.precision);
  return asked == Precision::automatic ? fastest_precision() : asked;
}

std::vector<double> sorted_seconds(int times, const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds;
  for (int i = 0; i < times; ++i) {
    const auto begin = Clock::now();
    call();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  std::ranges::sort(seconds);
  return seconds;
}

double median(const std::vector<double>& sorted) {
  return sorted.at(sorted.size() / 2);
}

double peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) / 1024;
}

int bench_main(CLI::App& app, int argc, char** argv, const std::function<void()>& run) {
  CLI11_PARSE(app, argc, argv);
  try {
    run();
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return exit_code(error.kind());
  }
  return 0;
}

}  // namespace diffusion
