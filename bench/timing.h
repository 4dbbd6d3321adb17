#pragma once

// What the benchmarks of whole steps and sampling runs share.

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/device.h>

namespace diffusion {

struct BenchMachine {
  std::string precision = "auto";
  int threads = 0;
  bool json = false;
};
void add_bench_machine_options(CLI::App& app, BenchMachine& machine);

// Never `automatic`, so that it can be reported. Sets the number of threads.
Precision prepare(const BenchMachine& machine);

// Of so many calls, ascending.
std::vector<double> sorted_seconds(int times, const std::function<void()>& call);
double median(const std::vector<double>& sorted);

double peak_rss_mib();

// Parses and runs; an Error goes to stderr and becomes the exit code.
int bench_main(CLI::App& app, int argc, char** argv, const std::function<void()>& run);

}  // namespace diffusion
