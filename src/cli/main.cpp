#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "base/log.h"
#include "base/version.h"
#include "cli/commands/commands.h"
#include "cli/options/field_options.h"
#include "cli/options/options.h"
#include "cli/options/usage_hint.h"
#include "exchange/processes.h"

namespace diffusion {

namespace {

constexpr std::array kCommands{
    Command{"train", "Train a model on a data set, or go on with a run", add_train, true},
    Command{"distill", "Tune a trained model so that one to four steps make a good picture", add_distill,
            true},
    Command{"sample", "Make pictures with a model", add_sample, true},
    Command{"edit", "Change a picture, or draw a part of it anew", add_edit},
    Command{"restore", "Make a picture from a part of it, a small, blurred, gray or noisy one", add_restore},
    Command{"purify", "Wash out what somebody hid in a picture to mislead a classifier", add_purify},
    Command{"invert", "Find the noise that a picture would be made from", add_invert},
    Command{"interpolate", "Make the pictures between two seeds, pictures, classes or prompts",
            add_interpolate},
    Command{"forecast", "Forecast the next values of series, with how sure they are", add_forecast},
    Command{"impute", "Fill the gaps in series", add_impute},
    Command{"serve", "Serve models over HTTP, with a page of its own", add_serve},
    Command{"compare-samplers", "Make the same pictures with several samplers, and compare them",
            add_compare_samplers},
    Command{"noise", "Show how a picture drowns in noise (the forward process)", add_noise},
    Command{"data", "Tell what is in a data set, and show examples", add_data},
    Command{"info", "Tell what a model is", add_info},
    Command{"plot", "Plot the losses and the learning rate of training runs", add_plot},
    Command{"convert", "Write a model as a diffusers pipeline, in f32, f16 or bf16", add_convert},
    Command{"verify", "Check that a model is whole and computes what it did", add_verify},
    Command{"train-features", "Train the network in whose features images are compared", add_train_features},
    Command{"eval", "Measure how good samples are: distances from real images, precision, recall", add_eval,
            true},
    Command{"attack", "Change pictures invisibly, so that a classifier errs", add_attack},
    Command{"eval-robustness", "Measure what attacks do to a classifier, with and without purification",
            add_eval_robustness},
    Command{"bench", "Measure how fast a network runs on this machine, layer by layer", add_bench},
};

constexpr const char* kExitCodeHelp =
    "Exit codes: 0 done, 1 bug or other failure, 2 usage, 3 bad input file, 4 I/O, 5 NaN or infinity,\n"
    "6 out of memory, 75 stopped by a signal and saved. Results go to stdout, all other talk to stderr.";

// "diffusion sample: <message>", in one place. Of several processes it also tells which.
int fail(const std::string& who, int code, const std::string& message) {
  stderr_log().status("");
  const auto together = started_together();
  stderr_log().line(
      together ? fmt::format("{}, process {} of {}: {}", who, together->rank, together->size, message)
               : fmt::format("{}: {}", who, message));
  return code;
}

// What all of several processes have found, because their command or their loss is the same, only the first
// tells, and ends all. Another tells what it alone has found: when it is not ended in that time.
int fail_together(const std::string& who, ErrorKind kind, const std::string& message) {
  const auto together = started_together();
  if (together && together->rank > 0 && (kind == ErrorKind::usage || kind == ErrorKind::non_finite)) {
    join_to_end_all();  // so that the first can end this one
    std::this_thread::sleep_for(std::chrono::seconds(3));
  }
  fail(who, exit_code(kind), message);
  join_to_end_all();
  end_all_processes(exit_code(kind));
  return exit_code(kind);
}

// For arguments that nobody knows, what was probably meant.
std::string unknown_arguments(const CLI::App& app, bool is_command,
                              const std::vector<std::string>& arguments) {
  const std::string& word = arguments.front();
  const bool is_option = word.starts_with("-");
  std::vector<std::string> known;
  if (is_option) {
    for (const CLI::Option* option : app.get_options())
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  } else if (!is_command) {
    for (const Command& command : kCommands) known.emplace_back(command.name);
  }
  const std::string name = word.substr(0, word.find('='));
  std::string message = fmt::format("{} \"{}\"",
                                    is_option    ? "unknown option"
                                    : is_command ? "unexpected argument"
                                                 : "unknown command",
                                    name);
  if (const auto nearest = nearest_word(name, known)) message += fmt::format("; did you mean {}?", *nearest);
  return message;
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const CLI::App& speaker = chosen.empty() ? app : *chosen.front();
  const std::string who = chosen.empty() ? "diffusion" : "diffusion " + speaker.get_name();
  // CLI11 speaks of one fault, and of what is missing before what is unknown: of --ouput, say, as "--out is
  // required". What was typed comes first here.
  const std::vector<std::string> unknown = app.remaining(true);
  const bool only_unknown = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  std::string message = unknown.empty() ? error.what() : unknown_arguments(speaker, !chosen.empty(), unknown);
  if (!unknown.empty() && !only_unknown) message += fmt::format("\nAlso: {}", error.what());
  return fail_together(who, ErrorKind::usage, fmt::format("{}\nSee '{} --help'.", message, who));
}

// What was printed must have arrived, unless the reader has gone (diffusion info M | head -1).
int finish_output(const std::string& who, int code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  if (errno == EPIPE) return code;
  return fail(
      who, exit_code(ErrorKind::io),
      fmt::format("Cannot write to stdout: {}.", errno != 0 ? std::strerror(errno) : "unknown reason"));
}

int run_command(const CLI::App& app, bool joins, const std::function<int()>& command) {
  const std::string who = "diffusion " + app.get_name();
  try {
    if (const auto together = started_together(); together && !joins)
      throw Error(ErrorKind::usage,
                  fmt::format("{} processes were started together, and each would do the same; start one",
                              together->size));
    return finish_output(who, command());
  } catch (const Error& error) {
    return fail_together(who, error.kind(), message_with_options(app, error));
  } catch (const std::bad_alloc&) {
    return fail_together(who, ErrorKind::memory, "not enough memory");
  } catch (const std::exception& error) {
    return fail_together(who, ErrorKind::internal, error.what());
  }
}

int run(int argc, char** argv) {
  CLI::App app(
      "Native diffusion models: train them, make pictures with them, look inside.\n"
      "'diffusion COMMAND --help' lists the options of a command.",
      "diffusion");
  app.set_version_flag("--version", std::string("diffusion ") + std::string(version()),
                       "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.require_subcommand(0, 1);
  app.footer(kExitCodeHelp);
  struct Described {
    CLI::App* app;
    bool joins;
    std::function<int()> run;
  };
  std::vector<Described> commands;
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.summary));
    sub->set_help_flag("-h,--help", "Print this help and exit");
    commands.push_back({sub, command.joins, command.add(*sub)});
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help or --version
    std::ostringstream text;
    app.exit(request, text, text);
    std::fputs(text.str().c_str(), stdout);
    return finish_output("diffusion", 0);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  }
  for (const Described& command : commands)
    if (command.app->parsed()) return run_command(*command.app, command.joins, command.run);
  std::fputs(app.help().c_str(), stdout);
  return finish_output("diffusion", 0);
}

// At every barrier the OpenMP runtime spins for milliseconds before it sleeps, in the belief that it has the
// machine to itself. With other work on the cores a training step then takes ten times as long; with a short
// spin it gets its fair share, and on an idle machine nothing is lost (docs/benchmarks.md). The runtime reads
// its settings before main(), so the program starts itself once more with them.
void spin_briefly(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  setenv("GOMP_SPINCOUNT", "1000", 1);
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) execv(self.c_str(), argv);  // comes back only if it fails; then go on as we are
}

}  // namespace

}  // namespace diffusion

int main(int argc, char** argv) {
  diffusion::spin_briefly(argv);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is a failing write, as a full disk is
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone neither ends a training nor deserves a message
  try {
    return diffusion::run(argc, argv);
  } catch (const std::exception& error) {
    return diffusion::fail("diffusion", 1, error.what());
  }
}
