#pragma once

// The commands of the program. One file is one command, with one function: it describes the options to `app`
// and returns what to run after parsing, whose result is the exit code. Errors are thrown; main.cpp turns
// them into messages and exit codes. Results go to stdout through print_line(), everything else to
// stderr_log().
//
// To add one: a file with the function, a line here, and a row in the table of main.cpp.

#include <CLI/CLI.hpp>
#include <functional>
#include <string_view>

namespace diffusion {

struct Command {
  std::string_view name, summary;
  std::function<int()> (*add)(CLI::App& app);
  bool joins = false;  // several processes that MPI started do it together; else they may not be several
};

std::function<int()> add_train(CLI::App& app);
std::function<int()> add_distill(CLI::App& app);
std::function<int()> add_sample(CLI::App& app);
std::function<int()> add_edit(CLI::App& app);
std::function<int()> add_restore(CLI::App& app);
std::function<int()> add_purify(CLI::App& app);
std::function<int()> add_invert(CLI::App& app);
std::function<int()> add_interpolate(CLI::App& app);
std::function<int()> add_forecast(CLI::App& app);
std::function<int()> add_impute(CLI::App& app);
std::function<int()> add_compare_samplers(CLI::App& app);
std::function<int()> add_noise(CLI::App& app);
std::function<int()> add_data(CLI::App& app);
std::function<int()> add_info(CLI::App& app);
std::function<int()> add_convert(CLI::App& app);
std::function<int()> add_verify(CLI::App& app);
std::function<int()> add_train_features(CLI::App& app);
std::function<int()> add_eval(CLI::App& app);
std::function<int()> add_attack(CLI::App& app);
std::function<int()> add_eval_robustness(CLI::App& app);
std::function<int()> add_plot(CLI::App& app);
std::function<int()> add_bench(CLI::App& app);
std::function<int()> add_serve(CLI::App& app);

}  // namespace diffusion
